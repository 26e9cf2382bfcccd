package pgstore

import (
	"fmt"
	"runtime/debug"
)

// crash is a panic of the database driver. The library logs its stack.
type crash struct {
	text  string
	stack []byte
}

func (c *crash) Error() string { return c.text }
func (c *crash) Stack() []byte { return c.stack }

// contain calls f in a goroutine and waits for it. A driver that panics, or that
// ends its goroutine, is an error.
func contain[T any](f func() (T, error)) (value T, err error) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		returned := false
		defer func() {
			if !returned { // recover returns nil after runtime.Goexit
				err = &crash{fmt.Sprintf("pgstore: the database driver crashed: %v", recover()), debug.Stack()}
			}
		}()
		value, err = f()
		returned = true
	}()
	<-ended
	return value, err
}
