package year_test

import (
	"context"
	"errors"
	"sync"
	"time"
)

// mood is how a store behaves.
type mood struct {
	err    error         // of every call
	hang   chan struct{} // calls wait until it is closed, whatever their context
	delay  time.Duration // of every call
	forget bool          // nothing is written, and Update says so
}

var errStore = errors.New("the store is down")

// handover is how long after its release the lock of a store is had by the next,
// who asks for it again and again.
const handover = 200 * time.Millisecond

// store is a Store in memory whose mood can change.
type store struct {
	lock chan struct{} // has an element while it is held

	mu     sync.Mutex // guards what follows
	values map[string][]byte
	mood   mood
}

func newStore() *store {
	return &store{lock: make(chan struct{}, 1), values: make(map[string][]byte)}
}

func (s *store) set(m mood) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mood = m
}

// suffer lets a call feel the mood.
func (s *store) suffer() (mood, error) {
	s.mu.Lock()
	m := s.mood
	s.mu.Unlock()
	if m.hang != nil {
		<-m.hang
	}
	time.Sleep(m.delay)
	return m, m.err
}

func (s *store) read(key string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[key]
}

// Load implements apivideo.Store.
func (s *store) Load(_ context.Context, key string) ([]byte, error) {
	if _, err := s.suffer(); err != nil {
		return nil, err
	}
	return s.read(key), nil
}

// Update implements apivideo.Store.
func (s *store) Update(ctx context.Context, key string, fn func(context.Context, []byte) ([]byte, error)) error {
	m, err := s.suffer()
	if err != nil {
		return err
	}
	select {
	case s.lock <- struct{}{}:
		defer func() { time.AfterFunc(handover, func() { <-s.lock }) }()
	case <-ctx.Done():
		return ctx.Err()
	}
	value, err := fn(ctx, s.read(key))
	if err != nil || value == nil {
		return err
	}
	if m.forget {
		return errStore
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[key] = value
	return nil
}
