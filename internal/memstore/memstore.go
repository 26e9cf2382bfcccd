// Package memstore is an apivideo.Store in memory. All tests that need a Store
// without a server use it, and play its failures with [Store.SetFault].
package memstore

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"sync"
	"time"
)

// maxValue is the longest value that Update stores, in bytes. SetValue and
// SetValues take longer ones.
const maxValue = 64 << 10

// Store keeps values in a map. Any number of Sources may share it. It is safe
// for concurrent use.
type Store struct {
	mu     sync.Mutex // guards what follows
	values map[string][]byte
	locks  map[string]chan struct{} // each has one element while it is locked
	loads  int
	fault  Fault
}

// Fault is how the calls of a Store misbehave. The zero Fault is none.
type Fault struct {
	Err      error           // every call fails with it
	WriteErr error           // Update calls fn, stores nothing, and fails with it
	Hang     <-chan struct{} // every call waits for its end, whatever its context
	Delay    time.Duration   // every call takes that long
	Handover time.Duration   // a released lock stays locked that long
}

// New returns an empty Store.
func New() *Store {
	return &Store{values: make(map[string][]byte), locks: make(map[string]chan struct{})}
}

// SetFault makes later calls misbehave.
func (s *Store) SetFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// suffer applies the fault to a call.
func (s *Store) suffer() (Fault, error) {
	s.mu.Lock()
	f := s.fault
	s.mu.Unlock()
	if f.Hang != nil {
		<-f.Hang
	}
	time.Sleep(f.Delay)
	return f, f.Err
}

// Load implements apivideo.Store.
func (s *Store) Load(ctx context.Context, key string) ([]byte, error) {
	if _, err := s.suffer(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loads++
	return bytes.Clone(s.values[key]), nil
}

// Update implements apivideo.Store.
func (s *Store) Update(ctx context.Context, key string, fn func(context.Context, []byte) ([]byte, error)) error {
	f, err := s.suffer()
	if err != nil {
		return err
	}
	unlock, err := s.Lock(ctx, key)
	if err != nil {
		return err
	}
	defer func() {
		if f.Handover == 0 {
			unlock()
			return
		}
		time.AfterFunc(f.Handover, unlock)
	}()
	value, err := fn(ctx, s.Value(key))
	if err != nil || value == nil {
		return err
	}
	if f, err := s.suffer(); cmp.Or(err, f.WriteErr) != nil {
		return cmp.Or(err, f.WriteErr)
	}
	if len(value) > maxValue {
		return fmt.Errorf("memstore: a value of %d bytes is too long", len(value))
	}
	s.SetValue(key, value)
	return nil
}

// Lock waits for the lock of key, which Update would hold.
func (s *Store) Lock(ctx context.Context, key string) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	lock, ok := s.locks[key]
	if !ok {
		lock = make(chan struct{}, 1)
		s.locks[key] = lock
	}
	s.mu.Unlock()
	select {
	case lock <- struct{}{}:
		return func() { <-lock }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Seize deletes all values and holds their locks for good, like a process that
// never ends.
func (s *Store) Seize() {
	for key := range s.Values() {
		s.Lock(context.Background(), key)
	}
	s.SetValues(nil)
}

// Value returns the value of key, nil if there is none.
func (s *Store) Value(key string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.values[key])
}

// SetValue stores a value without the lock. Nil deletes it.
func (s *Store) SetValue(key string, value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if value == nil {
		delete(s.values, key)
		return
	}
	s.values[key] = bytes.Clone(value)
}

// Values returns a copy of all values.
func (s *Store) Values() map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.values)
}

// SetValues replaces all values.
func (s *Store) SetValues(values map[string][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values = make(map[string][]byte, len(values))
	maps.Copy(s.values, values)
}

// Loads is how many calls of Load succeeded.
func (s *Store) Loads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loads
}
