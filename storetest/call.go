package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
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

// begin calls f in a goroutine. The channel gets what f returns.
func begin(f func() error) <-chan error {
	returned := make(chan error, 1)
	go func() { returned <- f() }()
	return returned
}

func beginUpdate(ctx context.Context, s apivideo.Store, key string, fn updateFunc) <-chan error {
	return begin(func() error { return s.Update(ctx, key, fn) })
}

// wait fails the test if c yields nothing in good time.
func wait[T any](t testing.TB, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("%s: nothing for %v", what, patience)
	}
	return v
}

// tryUpdate calls Update and returns its error.
func tryUpdate(ctx context.Context, t testing.TB, s apivideo.Store, key string, fn updateFunc) error {
	t.Helper()
	return wait(t, beginUpdate(ctx, s, key, fn), "Update")
}

// mustUpdate calls Update, which must succeed.
func mustUpdate(t testing.TB, s apivideo.Store, key string, fn updateFunc) {
	t.Helper()
	if err := tryUpdate(t.Context(), t, s, key, fn); err != nil {
		t.Fatalf("Update: %v", err)
	}
}

// tryLoad calls Load.
func tryLoad(ctx context.Context, t testing.TB, s apivideo.Store, key string) (value []byte, err error) {
	t.Helper()
	err = wait(t, begin(func() (err error) {
		value, err = s.Load(ctx, key)
		return err
	}), "Load")
	return value, err
}

// mustLoad calls Load, which must succeed.
func mustLoad(t testing.TB, s apivideo.Store, key string) []byte {
	t.Helper()
	value, err := tryLoad(t.Context(), t, s, key)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return value
}

// expect fails the test unless both Load and the fn of Update find this value;
// nil is none.
func expect(t testing.TB, s apivideo.Store, key string, want []byte) {
	t.Helper()
	compare(t, "Load returned", mustLoad(t, s, key), want)
	var old []byte
	mustUpdate(t, s, key, func(_ context.Context, o []byte) ([]byte, error) {
		old = bytes.Clone(o)
		return nil, nil
	})
	compare(t, "fn was given", old, want)
}

func compare(t testing.TB, who string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) || want == nil && got != nil {
		t.Errorf("%s %s, not %s", who, brief(got), brief(want))
	}
}

// brief describes a value that may be long.
func brief(value []byte) string {
	if value == nil {
		return "nil"
	}
	return fmt.Sprintf("%d bytes beginning with %x", len(value), value[:min(len(value), 8)])
}

// hold begins an Update, which will store value, and returns when its fn has
// begun. The function that it returns ends the Update.
func hold(t testing.TB, s apivideo.Store, key string, value []byte) (end func()) {
	t.Helper()
	began, release, ctx := make(chan bool, 1), make(chan bool), t.Context()
	returned := beginUpdate(ctx, s, key, func(context.Context, []byte) ([]byte, error) {
		began <- true
		select {
		case <-release:
		case <-ctx.Done(): // the test has failed
		}
		return value, nil
	})
	wait(t, began, "the fn of Update")
	return func() {
		t.Helper()
		close(release)
		if err := wait(t, returned, "Update, whose fn has returned"); err != nil {
			t.Fatalf("Update: %v", err)
		}
	}
}
