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
	{"fn has the values of the caller's context", func(t *testing.T, newStore func() apivideo.Store) {
		ctx := context.WithValue(t.Context(), contextKey{}, "value")
		var got any
		err := wait(t, beginUpdate(ctx, newStore(), randomKey(), func(ctx context.Context, _ []byte) ([]byte, error) {
			got = ctx.Value(contextKey{})
			return nil, nil
		}), "Update")
		if err != nil || got != "value" {
			t.Errorf("fn found %v in its context, and Update returned %v", got, err)
		}
	}},
	{"the context of fn lives while fn has the lock", func(t *testing.T, newStore func() apivideo.Store) {
		var ended error
		mustUpdate(t, newStore(), randomKey(), func(ctx context.Context, _ []byte) ([]byte, error) {
			select {
			case <-ctx.Done():
				ended = context.Cause(ctx)
			case <-time.After(300 * time.Millisecond):
			}
			return nil, nil
		})
		if ended != nil {
			t.Errorf("the context of fn ended: %v", ended)
		}
	}},
}

type contextKey struct{}

func testEndedContext(t *testing.T, newStore func() apivideo.Store) {
	s, key := newStore(), randomKey()
	mustUpdate(t, s, key, to([]byte("value")))
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for _, ctx := range []context.Context{canceled, expired} {
		if l := tryLoad(ctx, t, s, key); l.err == nil {
			t.Errorf("Load returned no error: %v", ctx.Err())
		}
		var called atomic.Bool
		err := wait(t, beginUpdate(ctx, s, key, func(context.Context, []byte) ([]byte, error) {
			called.Store(true)
			return []byte("new"), nil
		}), "Update")
		if err == nil || called.Load() {
			t.Errorf("Update returned %v; it called fn: %t; but: %v", err, called.Load(), ctx.Err())
		}
	}
	expect(t, s, key, []byte("value"))
}

// testEndedWait ends an update that waits, and expects its fn not to be called
// then or later, and the lock to be free for others.
func testEndedWait(t *testing.T, newStore func() apivideo.Store) {
	key := randomKey()
	h := hold(t, newStore(), key, nil)
	var called atomic.Bool
	ctx, cancel := context.WithCancel(t.Context())
	returned := beginUpdate(ctx, newStore(), key, func(context.Context, []byte) ([]byte, error) {
		called.Store(true)
		return []byte("new"), nil
	})
	time.Sleep(settling)
	cancel()
	if err := wait(t, returned, "Update, whose context has ended"); err == nil {
		t.Error("Update returned no error although its context had ended before it had the lock")
	}
	h.end(t)
	expect(t, newStore(), key, nil)
	if called.Load() {
		t.Error("fn was called although the context had ended before")
	}
}
