package storetest_test

import (
	"bytes"
	"context"
	"sync"
)

// memory is a Store in a map. Its instances are pointers to one memory.
type memory struct {
	mu     sync.Mutex // guards what follows
	values map[string][]byte
	locks  map[string]chan struct{} // each holds one element while it is locked
}

func newMemory() *memory {
	return &memory{values: make(map[string][]byte), locks: make(map[string]chan struct{})}
}

func (m *memory) Load(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return m.read(key), nil
}

func (m *memory) Update(ctx context.Context, key string, fn func(context.Context, []byte) ([]byte, error)) error {
	unlock, err := m.lock(ctx, key)
	if err != nil {
		return err
	}
	defer unlock()
	value, err := fn(ctx, m.read(key))
	if err == nil && value != nil {
		m.write(key, value)
	}
	return err
}

func (m *memory) lock(ctx context.Context, key string) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	lock, ok := m.locks[key]
	if !ok {
		lock = make(chan struct{}, 1)
		m.locks[key] = lock
	}
	m.mu.Unlock()
	select {
	case lock <- struct{}{}:
		return func() { <-lock }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *memory) read(key string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.values[key])
}

func (m *memory) write(key string, value []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[key] = bytes.Clone(value)
}
