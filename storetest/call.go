package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
)

// updateFunc is what Update calls.
type updateFunc = func(ctx context.Context, old []byte) ([]byte, error)

// randomKey returns a key of the form that a Source uses.
func randomKey() string { return hex.EncodeToString(randomBytes(32)) }

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// to returns a function for Update that stores value.
func to(value []byte) updateFunc {
	return func(context.Context, []byte) ([]byte, error) { return value, nil }
}

// wait fails the test if c yields nothing in good time.
func wait[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("%s: nothing for %v", what, patience)
		panic("unreachable")
	}
}

// beginUpdate calls Update in a goroutine. The channel gets what it returns.
func beginUpdate(ctx context.Context, s apivideo.Store, key string, fn updateFunc) <-chan error {
	returned := make(chan error, 1)
	go func() { returned <- s.Update(ctx, key, fn) }()
	return returned
}

// tryUpdate calls Update and returns its error.
func tryUpdate(t *testing.T, s apivideo.Store, key string, fn updateFunc) error {
	t.Helper()
	return wait(t, beginUpdate(t.Context(), s, key, fn), "Update")
}

// mustUpdate calls Update, which must succeed.
func mustUpdate(t *testing.T, s apivideo.Store, key string, fn updateFunc) {
	t.Helper()
	if err := tryUpdate(t, s, key, fn); err != nil {
		t.Fatalf("Update: %v", err)
	}
}

// loaded is what Load returned.
type loaded struct {
	value []byte
	err   error
}

// tryLoad calls Load.
func tryLoad(ctx context.Context, t *testing.T, s apivideo.Store, key string) loaded {
	t.Helper()
	returned := make(chan loaded, 1)
	go func() {
		value, err := s.Load(ctx, key)
		returned <- loaded{value, err}
	}()
	return wait(t, returned, "Load")
}

// mustLoad calls Load, which must succeed.
func mustLoad(t *testing.T, s apivideo.Store, key string) []byte {
	t.Helper()
	l := tryLoad(t.Context(), t, s, key)
	if l.err != nil {
		t.Fatalf("Load: %v", l.err)
	}
	return l.value
}

// expect fails the test unless both Load and the fn of Update find this value;
// nil is none.
func expect(t *testing.T, s apivideo.Store, key string, want []byte) {
	t.Helper()
	compare(t, "Load returned", mustLoad(t, s, key), want)
	var old []byte
	called := false
	mustUpdate(t, s, key, func(_ context.Context, o []byte) ([]byte, error) {
		old, called = bytes.Clone(o), true
		return nil, nil
	})
	if !called {
		t.Fatal("Update returned no error and did not call fn")
	}
	compare(t, "fn was given", old, want)
}

func compare(t *testing.T, who string, got, want []byte) {
	t.Helper()
	switch {
	case want == nil && got != nil:
		t.Errorf("%s %s where nil was expected", who, brief(got))
	case !bytes.Equal(got, want):
		t.Errorf("%s %s where %s was expected", who, brief(got), brief(want))
	}
}

// brief describes a value that may be long.
func brief(value []byte) string {
	if value == nil {
		return "nil"
	}
	return fmt.Sprintf("%d bytes beginning with %x", len(value), value[:min(len(value), 8)])
}

// holder is an Update in the middle of its fn.
type holder struct {
	release  chan struct{}
	returned <-chan error
}

// hold begins an Update, which will store value, and returns when its fn has
// begun.
func hold(t *testing.T, s apivideo.Store, key string, value []byte) *holder {
	t.Helper()
	h := &holder{release: make(chan struct{})}
	began := make(chan struct{}, 1)
	ctx := t.Context()
	h.returned = beginUpdate(ctx, s, key, func(context.Context, []byte) ([]byte, error) {
		select {
		case began <- struct{}{}:
		default:
			return nil, errors.New("fn is called again")
		}
		select {
		case <-h.release:
		case <-ctx.Done():
		}
		return value, nil
	})
	wait(t, began, "the fn of Update")
	return h
}

// end has the fn return, and waits for its Update.
func (h *holder) end(t *testing.T) {
	t.Helper()
	close(h.release)
	if err := wait(t, h.returned, "Update, whose fn has returned"); err != nil {
		t.Fatalf("Update: %v", err)
	}
}
