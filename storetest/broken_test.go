package storetest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/memstore"
)

// defect is one way to get a Store wrong. Its functions replace parts of a
// sound Store; nil keeps a part.
type defect struct {
	name   string
	load   func(call) ([]byte, error)
	update func(call) error
	lock   func(call) (unlock func(), err error)
	inLock func(call) ([]byte, error) // calls fn and returns what to store
}

// call is one call of Load or Update, of one instance of a Store.
type call struct {
	*memstore.Store                 // shared by all instances
	own             *memstore.Store // of this instance
	ctx             context.Context
	key             string
	old             []byte
	fn              updateFunc
}

type updateFunc = func(ctx context.Context, old []byte) ([]byte, error)

func (c call) callFn() ([]byte, error) { return c.fn(c.ctx, c.old) }

// broken is an instance of a Store with a defect.
type broken struct {
	shared, own *memstore.Store
	defect      defect
}

func (b broken) Load(ctx context.Context, key string) ([]byte, error) {
	if b.defect.load == nil {
		return b.shared.Load(ctx, key)
	}
	return b.defect.load(call{Store: b.shared, own: b.own, ctx: ctx, key: key})
}

func (b broken) Update(ctx context.Context, key string, fn updateFunc) error {
	c := call{Store: b.shared, own: b.own, ctx: ctx, key: key, fn: fn}
	switch {
	case b.defect.update != nil:
		return b.defect.update(c)
	case b.defect.lock != nil:
		unlock, err := b.defect.lock(c)
		if err != nil {
			return err
		}
		defer unlock()
		value, err := fn(ctx, c.Value(key))
		if err == nil && value != nil {
			c.SetValue(key, value)
		}
		return err
	case b.defect.inLock != nil:
		return c.Update(ctx, key, func(ctx context.Context, old []byte) ([]byte, error) {
			c.ctx, c.old = ctx, old
			return b.defect.inLock(c)
		})
	}
	return c.Update(ctx, key, fn)
}

// alter is an inLock that stores something else than what fn returns.
func alter(change func(call, []byte) []byte) func(call) ([]byte, error) {
	return func(c call) ([]byte, error) {
		value, err := c.callFn()
		if err != nil {
			return nil, err
		}
		return change(c, value), nil
	}
}

// defects are named under the check that finds them.
var defects = map[string][]defect{
	"a miss is nil and no error": {
		{name: "a miss is an error", load: func(c call) ([]byte, error) {
			if c.Value(c.key) == nil {
				return nil, errors.New("not found")
			}
			return c.Load(c.ctx, c.key)
		}},
		{name: "a miss is empty", load: func(c call) ([]byte, error) {
			value, err := c.Load(c.ctx, c.key)
			return append([]byte{}, value...), err
		}},
		{name: "a miss is empty for fn", inLock: func(c call) ([]byte, error) { return c.fn(c.ctx, append([]byte{}, c.old...)) }},
	},
	"values are arbitrary bytes": {
		{name: "fn never gets the value", inLock: func(c call) ([]byte, error) { return c.fn(c.ctx, nil) }},
		{name: "values end at NUL", inLock: alter(func(_ call, value []byte) []byte {
			before, _, _ := bytes.Cut(value, []byte{0})
			return before
		})},
		{name: "values become UTF-8", inLock: alter(func(_ call, value []byte) []byte { return bytes.ToValidUTF8(value, []byte("?")) })},
		{name: "long values are cut", inLock: alter(func(_ call, value []byte) []byte { return value[:min(len(value), 64<<10-1)] })},
	},
	"an empty value replaces another": {{name: "an empty value is not stored", inLock: alter(func(_ call, value []byte) []byte {
		return append([]byte(nil), value...) // nil if empty
	})}},
	"keys do not share values": {{name: "all keys have one value",
		load:   func(c call) ([]byte, error) { return c.Load(c.ctx, "") },
		update: func(c call) error { return c.Update(c.ctx, "", c.fn) }}},
	"values survive a new instance": {
		{name: "each instance has its own values",
			load:   func(c call) ([]byte, error) { return c.own.Load(c.ctx, c.key) },
			update: func(c call) error { return c.own.Update(c.ctx, c.key, c.fn) }},
		{name: "Load remembers values", load: func(c call) ([]byte, error) {
			if c.own.Value(c.key) == nil {
				c.own.SetValue(c.key, c.Value(c.key))
			}
			return c.own.Load(c.ctx, c.key)
		}},
	},
	"callers own the slices": {
		{name: "Load returns its own slice", load: func(c call) ([]byte, error) { return c.Values()[c.key], c.ctx.Err() }},
		{name: "Update keeps the slice of fn", inLock: alter(func(c call, value []byte) []byte {
			if value != nil {
				c.SetValues(map[string][]byte{c.key: value})
			}
			return nil
		})},
	},
	"values of more than 64 KiB are refused or missing": {
		{name: "a long value is returned", lock: func(c call) (func(), error) { return c.Lock(c.ctx, c.key) }},
		{name: "a long value is ignored", inLock: alter(func(_ call, value []byte) []byte {
			if len(value) > 64<<10 {
				return nil
			}
			return value
		})},
		{name: "a refused value deletes the old one", inLock: alter(func(c call, value []byte) []byte {
			if len(value) > 64<<10 {
				c.SetValue(c.key, nil)
			}
			return value
		})},
	},
	"fn is called exactly once": {
		{name: "fn is called twice", inLock: func(c call) ([]byte, error) {
			c.callFn()
			return c.callFn()
		}},
		{name: "fn is not called", update: func(call) error { return nil }},
	},
	"nil leaves the value": {{name: "nil deletes the value", inLock: alter(func(c call, value []byte) []byte {
		if value == nil {
			c.SetValue(c.key, nil)
		}
		return value
	})}},
	"an error of fn is returned and keeps the old value": {
		{name: "the value is stored in spite of an error", inLock: func(c call) ([]byte, error) {
			value, err := c.callFn()
			c.SetValue(c.key, value)
			return nil, err
		}},
		{name: "an error of fn is not wrapped", update: func(c call) error {
			if err := c.Update(c.ctx, c.key, c.fn); err != nil {
				return fmt.Errorf("updating: %v", err)
			}
			return nil
		}},
	},
	"an error of fn releases the lock": {{name: "an error of fn keeps the lock", update: func(c call) error {
		err := c.Update(c.ctx, c.key, c.fn)
		if err != nil && c.ctx.Err() == nil {
			c.Lock(c.ctx, c.key)
		}
		return err
	}}},
	"updates of one key run one at a time": {
		{name: "there is no lock", lock: func(c call) (func(), error) { return func() {}, c.ctx.Err() }},
		{name: "each instance has its own lock", lock: func(c call) (func(), error) { return c.own.Lock(c.ctx, c.key) }},
		{name: "fn is called again after a wait", update: func(c call) error {
			ctx, cancel := context.WithTimeout(c.ctx, time.Microsecond)
			defer cancel()
			unlock, err := c.Lock(ctx, c.key)
			if err == nil {
				unlock()
				return c.Update(c.ctx, c.key, c.fn)
			}
			return c.Update(c.ctx, c.key, func(ctx context.Context, old []byte) ([]byte, error) {
				c.fn(ctx, old)
				return c.fn(ctx, old)
			})
		}},
		{name: "the lock is tried once", lock: func(c call) (func(), error) {
			ctx, cancel := context.WithTimeout(c.ctx, time.Microsecond)
			defer cancel()
			return c.Lock(ctx, c.key)
		}},
	},
	"an update waits for the one before and finds its value": {
		{name: "the value is read before the lock", update: func(c call) error {
			old := c.Value(c.key)
			return c.Update(c.ctx, c.key, func(ctx context.Context, _ []byte) ([]byte, error) { return c.fn(ctx, old) })
		}},
		{name: "the lock is a lease that is not extended", lock: func(c call) (func(), error) {
			unlock, err := c.Lock(c.ctx, c.key)
			if err != nil {
				return nil, err
			}
			lease := time.AfterFunc(100*time.Millisecond, unlock)
			return func() {
				if lease.Stop() {
					unlock()
				}
			}, nil
		}},
	},
	"updates of two keys run at the same time": {{name: "one lock serves all keys", lock: func(c call) (func(), error) { return c.Lock(c.ctx, "") }}},
	"Load does not wait for an update": {{name: "Load takes the lock", load: func(c call) ([]byte, error) {
		unlock, err := c.Lock(c.ctx, c.key)
		if err != nil {
			return nil, err
		}
		defer unlock()
		return c.Load(c.ctx, c.key)
	}}},
	"Load sees whole values": {{name: "values are written in parts", inLock: alter(func(c call, value []byte) []byte {
		if value != nil {
			c.SetValue(c.key, value[:len(value)/2])
			time.Sleep(time.Millisecond)
		}
		return value
	})}},
	"an ended context is an error": {
		{name: "Load ignores its context", load: func(c call) ([]byte, error) { return c.Value(c.key), nil }},
		{name: "Update ignores its context", update: func(c call) error {
			return c.Update(context.WithoutCancel(c.ctx), c.key, c.fn)
		}},
	},
	"a context that ends while waiting for the lock ends the wait": {
		{name: "the wait for the lock has no end", lock: func(c call) (func(), error) {
			return c.Lock(context.WithoutCancel(c.ctx), c.key)
		}},
		{name: "fn is called after the wait was given up", update: func(c call) error {
			returned := make(chan error, 1)
			go func() { returned <- c.Update(context.WithoutCancel(c.ctx), c.key, c.fn) }()
			select {
			case err := <-returned:
				return err
			case <-c.ctx.Done():
				return c.ctx.Err()
			}
		}},
	},
	"fn has the values of the caller's context": {{name: "fn has another context", inLock: func(c call) ([]byte, error) { return c.fn(context.Background(), c.old) }}},
	"the context of fn lives while fn has the lock": {{name: "the context of fn ends early", inLock: func(c call) ([]byte, error) {
		ctx, cancel := context.WithTimeout(c.ctx, 100*time.Millisecond)
		defer cancel()
		return c.fn(ctx, c.old)
	}}},
}
