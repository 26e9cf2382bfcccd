package storetest

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
)

var contextChecks = []check{
	{"an ended context is an error", testEndedContext},
	{"a context that ends while waiting for the lock ends the wait", testEndedWait},
	{"fn has the values of the caller's context", func(t testing.TB, newStore func() apivideo.Store) {
		type contextKey struct{}
		var got any
		ctx := context.WithValue(t.Context(), contextKey{}, "value")
		err := tryUpdate(ctx, t, newStore(), randomKey(), func(ctx context.Context, _ []byte) ([]byte, error) {
			got = ctx.Value(contextKey{})
			return nil, nil
		})
		if err != nil || got != "value" {
			t.Errorf("fn found %v in its context, and Update returned %v", got, err)
		}
	}},
	{"the context of fn lives while fn has the lock", func(t testing.TB, newStore func() apivideo.Store) {
		mustUpdate(t, newStore(), randomKey(), func(ctx context.Context, _ []byte) ([]byte, error) {
			time.Sleep(300 * time.Millisecond)
			return nil, context.Cause(ctx)
		})
	}},
}

func testEndedContext(t testing.TB, newStore func() apivideo.Store) {
	s, key := newStore(), randomKey()
	mustUpdate(t, s, key, to([]byte("value")))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tryLoad(ctx, t, s, key); err == nil {
		t.Errorf("Load returned no error although its context had ended")
	}
	expectNoFn(t, func(fn updateFunc) error { return tryUpdate(ctx, t, s, key, fn) })
	expect(t, s, key, []byte("value"))
}

// testEndedWait ends an update that waits. The lock must then be free for
// others.
func testEndedWait(t testing.TB, newStore func() apivideo.Store) {
	key := randomKey()
	end := hold(t, newStore(), key, nil)
	expectNoFn(t, func(fn updateFunc) error {
		ctx, cancel := context.WithCancel(t.Context())
		returned := beginUpdate(ctx, newStore(), key, fn)
		time.Sleep(settling)
		cancel()
		err := wait(t, returned, "Update, whose context has ended")
		end()
		expect(t, newStore(), key, nil)
		return err
	})
}

// expectNoFn fails the test unless update returns an error without having
// called fn.
func expectNoFn(t testing.TB, update func(fn updateFunc) error) {
	t.Helper()
	var called atomic.Bool
	err := update(func(context.Context, []byte) ([]byte, error) {
		called.Store(true)
		return []byte("new"), nil
	})
	if err == nil || called.Load() {
		t.Errorf("Update returned %v and called fn: %t; but its context had ended before", err, called.Load())
	}
}
