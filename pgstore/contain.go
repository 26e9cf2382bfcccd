package pgstore

import "fmt"

// contain calls f in a goroutine and waits for it. A driver that panics, or that
// ends its goroutine, is an error.
func contain[T any](f func() (T, error)) (value T, err error) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		returned := false
		defer func() {
			if !returned { // recover returns nil after runtime.Goexit
				err = fmt.Errorf("pgstore: the database driver crashed: %v", recover())
			}
		}()
		value, err = f()
		returned = true
	}()
	<-ended
	return value, err
}
