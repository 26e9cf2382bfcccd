package storetest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
)

type (
	loadFunc   = func(ctx context.Context, key string) ([]byte, error)
	fnFunc     = func(ctx context.Context, old []byte) ([]byte, error)
	updateFunc = func(ctx context.Context, key string, fn fnFunc) error
)

// altered is a Store made of functions; where one is nil, it is sound.
type altered struct {
	*memory
	load   loadFunc
	update updateFunc
}

func (a altered) Load(ctx context.Context, key string) ([]byte, error) {
	if a.load == nil {
		return a.memory.Load(ctx, key)
	}
	return a.load(ctx, key)
}

func (a altered) Update(ctx context.Context, key string, fn fnFunc) error {
	if a.update == nil {
		return a.memory.Update(ctx, key, fn)
	}
	return a.update(ctx, key, fn)
}

// defect is one way to get a Store wrong.
type defect struct {
	name  string
	test  string // that finds it
	store func(*memory) apivideo.Store
}

// aroundFn is a defect of what happens before and after fn.
func aroundFn(around func(ctx context.Context, old []byte, fn fnFunc) ([]byte, error)) func(*memory) apivideo.Store {
	return func(m *memory) apivideo.Store {
		return altered{memory: m, update: func(ctx context.Context, key string, fn fnFunc) error {
			return m.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, error) { return around(ctx, old, fn) })
		}}
	}
}

// ofValue is a defect of what is stored.
func ofValue(store func(value []byte) []byte) func(*memory) apivideo.Store {
	return aroundFn(func(ctx context.Context, old []byte, fn fnFunc) ([]byte, error) {
		value, err := fn(ctx, old)
		return store(value), err
	})
}

// ofUpdate is a defect of Update as a whole.
func ofUpdate(update func(m *memory, ctx context.Context, key string, fn fnFunc) error) func(*memory) apivideo.Store {
	return func(m *memory) apivideo.Store {
		return altered{memory: m, update: func(ctx context.Context, key string, fn fnFunc) error { return update(m, ctx, key, fn) }}
	}
}

// ofLoad is a defect of Load.
func ofLoad(load func(m *memory, ctx context.Context, key string) ([]byte, error)) func(*memory) apivideo.Store {
	return func(m *memory) apivideo.Store {
		return altered{memory: m, load: func(ctx context.Context, key string) ([]byte, error) { return load(m, ctx, key) }}
	}
}

// unlocked is Update without the lock.
func unlocked(m *memory, ctx context.Context, key string, fn fnFunc) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	value, err := fn(ctx, m.read(key))
	if err == nil && value != nil {
		m.write(key, value)
	}
	return err
}

var defects = []defect{
	{"a miss is an error", "a miss is nil and no error", ofLoad(func(m *memory, ctx context.Context, key string) ([]byte, error) {
		if m.read(key) == nil {
			return nil, errors.New("not found")
		}
		return m.Load(ctx, key)
	})},
	{"a miss is empty", "a miss is nil and no error", ofLoad(func(m *memory, ctx context.Context, key string) ([]byte, error) {
		value, err := m.Load(ctx, key)
		return append([]byte{}, value...), err
	})},
	{"fn gets no nil for a miss", "a miss is nil and no error", aroundFn(func(ctx context.Context, old []byte, fn fnFunc) ([]byte, error) {
		return fn(ctx, append([]byte{}, old...))
	})},
	{"fn never gets the value", "values are arbitrary bytes", aroundFn(func(ctx context.Context, old []byte, fn fnFunc) ([]byte, error) {
		return fn(ctx, nil)
	})},
	{"values end at NUL", "values are arbitrary bytes", ofValue(func(value []byte) []byte {
		before, _, _ := bytes.Cut(value, []byte{0})
		return before
	})},
	{"values become UTF-8", "values are arbitrary bytes", ofValue(func(value []byte) []byte {
		return bytes.ToValidUTF8(value, []byte("?"))
	})},
	{"long values are cut", "values are arbitrary bytes", ofValue(func(value []byte) []byte {
		return value[:min(len(value), 1<<15)]
	})},
	{"an empty value is not stored", "an empty value replaces another", ofValue(func(value []byte) []byte {
		if len(value) == 0 {
			return nil
		}
		return value
	})},
	{"all keys have one value", "keys do not share values", func(m *memory) apivideo.Store {
		return altered{m, func(ctx context.Context, _ string) ([]byte, error) { return m.Load(ctx, "") },
			func(ctx context.Context, _ string, fn fnFunc) error { return m.Update(ctx, "", fn) }}
	}},
	{"values are the instance's", "values survive a new instance", func(*memory) apivideo.Store { return newMemory() }},
	{"Load returns its own slice", "callers own the slices", ofLoad(func(m *memory, ctx context.Context, key string) ([]byte, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.values[key], ctx.Err()
	})},
	{"Update keeps the slice of fn", "callers own the slices", ofUpdate(func(m *memory, ctx context.Context, key string, fn fnFunc) error {
		return m.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, error) {
			value, err := fn(ctx, old)
			if err == nil && value != nil {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.values[key] = value
			}
			return nil, err
		})
	})},
	{"fn is called twice", "fn is called exactly once", aroundFn(func(ctx context.Context, old []byte, fn fnFunc) ([]byte, error) {
		fn(ctx, old)
		return fn(ctx, old)
	})},
	{"fn is not called", "fn is called exactly once", ofUpdate(func(*memory, context.Context, string, fnFunc) error { return nil })},
	{"nil deletes the value", "nil leaves the value", ofUpdate(func(m *memory, ctx context.Context, key string, fn fnFunc) error {
		return m.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, error) {
			value, err := fn(ctx, old)
			if err == nil && value == nil {
				m.write(key, nil)
			}
			return value, err
		})
	})},
	{"the value is stored in spite of an error", "an error of fn keeps the old value",
		ofUpdate(func(m *memory, ctx context.Context, key string, fn fnFunc) error {
			return m.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, error) {
				value, err := fn(ctx, old)
				m.write(key, value)
				return nil, err
			})
		})},
	{"an error of fn is dropped", "an error of fn is returned", ofUpdate(func(m *memory, ctx context.Context, key string, fn fnFunc) error {
		m.Update(ctx, key, fn)
		return ctx.Err()
	})},
	{"an error of fn is not wrapped", "an error of fn is returned", ofUpdate(func(m *memory, ctx context.Context, key string, fn fnFunc) error {
		if err := m.Update(ctx, key, fn); err != nil {
			return fmt.Errorf("updating: %v", err)
		}
		return nil
	})},
	{"an error of fn leaves the lock", "an error of fn releases the lock", ofUpdate(func(m *memory, ctx context.Context, key string, fn fnFunc) error {
		err := m.Update(ctx, key, fn)
		if err != nil && ctx.Err() == nil {
			m.lock(ctx, key)
		}
		return err
	})},
	{"there is no lock", "updates of one key exclude each other", ofUpdate(unlocked)},
	{"the lock is the instance's", "updates of one key exclude each other", func(m *memory) apivideo.Store {
		locks := newMemory()
		return altered{memory: m, update: func(ctx context.Context, key string, fn fnFunc) error {
			unlock, err := locks.lock(ctx, key)
			if err != nil {
				return err
			}
			defer unlock()
			return unlocked(m, ctx, key, fn)
		}}
	}},
	{"the lock is tried once", "updates of one key exclude each other", ofUpdate(func(m *memory, ctx context.Context, key string, fn fnFunc) error {
		short, cancel := context.WithTimeout(ctx, time.Microsecond)
		defer cancel()
		unlock, err := m.lock(short, key)
		if err != nil {
			return errors.New("locked")
		}
		defer unlock()
		return unlocked(m, ctx, key, fn)
	})},
	{"the value is read before the lock", "an update finds what the one before stored",
		ofUpdate(func(m *memory, ctx context.Context, key string, fn fnFunc) error {
			old := m.read(key)
			return m.Update(ctx, key, func(ctx context.Context, _ []byte) ([]byte, error) { return fn(ctx, old) })
		})},
	{"one lock serves all keys", "updates of two keys do not exclude each other",
		ofUpdate(func(m *memory, ctx context.Context, key string, fn fnFunc) error {
			unlock, err := m.lock(ctx, "")
			if err != nil {
				return err
			}
			defer unlock()
			return unlocked(m, ctx, key, fn)
		})},
	{"Load takes the lock", "Load does not wait for an update", ofLoad(func(m *memory, ctx context.Context, key string) ([]byte, error) {
		unlock, err := m.lock(ctx, key)
		if err != nil {
			return nil, err
		}
		defer unlock()
		return m.Load(ctx, key)
	})},
	{"values are written in parts", "Load sees whole values", ofUpdate(func(m *memory, ctx context.Context, key string, fn fnFunc) error {
		return m.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, error) {
			value, err := fn(ctx, old)
			if err == nil && value != nil {
				m.write(key, value[:len(value)/2])
				time.Sleep(time.Millisecond)
			}
			return value, err
		})
	})},
	{"the lock is a lease that is not extended", "the lock lasts as long as fn", ofUpdate(func(m *memory, ctx context.Context, key string, fn fnFunc) error {
		unlock, err := m.lock(ctx, key)
		if err != nil {
			return err
		}
		lease := time.AfterFunc(100*time.Millisecond, unlock)
		defer func() {
			if lease.Stop() {
				unlock()
			}
		}()
		return unlocked(m, ctx, key, fn)
	})},
	{"contexts are not looked at by Load", "an ended context is an error", ofLoad(func(m *memory, _ context.Context, key string) ([]byte, error) {
		return m.read(key), nil
	})},
	{"contexts are not looked at by Update", "an ended context is an error", ofUpdate(func(m *memory, ctx context.Context, key string, fn fnFunc) error {
		return m.Update(context.WithoutCancel(ctx), key, fn)
	})},
	{"the wait for the lock has no end", "a context that ends while waiting for the lock ends the wait",
		ofUpdate(func(m *memory, ctx context.Context, key string, fn fnFunc) error {
			unlock, _ := m.lock(context.WithoutCancel(ctx), key)
			defer unlock()
			return unlocked(m, ctx, key, fn)
		})},
	{"fn is called after the wait was given up", "a context that ends while waiting for the lock ends the wait",
		ofUpdate(func(m *memory, ctx context.Context, key string, fn fnFunc) error {
			returned := make(chan error, 1)
			go func() { returned <- m.Update(context.WithoutCancel(ctx), key, fn) }()
			select {
			case err := <-returned:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		})},
	{"fn has a context of its own", "fn has the values of the caller's context",
		aroundFn(func(_ context.Context, old []byte, fn fnFunc) ([]byte, error) { return fn(context.Background(), old) })},
	{"fn has a context that ends early", "the context of fn lives while fn has the lock",
		aroundFn(func(ctx context.Context, old []byte, fn fnFunc) ([]byte, error) {
			ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			defer cancel()
			return fn(ctx, old)
		})},
}
