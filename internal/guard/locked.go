package guard

import "sync"

// Locked is a value that is reachable only through its lock. The zero Locked has
// the zero value.
type Locked[T any] struct {
	mu    sync.Mutex
	value T
}

// Lock locks the value and returns it. Do not use the pointer after Unlock.
func (l *Locked[T]) Lock() *T {
	l.mu.Lock()
	return &l.value
}

// Unlock unlocks the value.
func (l *Locked[T]) Unlock() { l.mu.Unlock() }
