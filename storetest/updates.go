package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/apivideo/api.video-go-oauth2"
)

var updateChecks = []check{
	{"fn is called exactly once", func(t testing.TB, newStore func() apivideo.Store) {
		s, key := newStore(), randomKey()
		for _, value := range [][]byte{nil, []byte("one"), nil, []byte("two")} {
			var calls atomic.Int32
			mustUpdate(t, s, key, func(context.Context, []byte) ([]byte, error) {
				calls.Add(1)
				return value, nil
			})
			if n := calls.Load(); n != 1 {
				t.Errorf("fn was called %d times, to store %s", n, brief(value))
			}
		}
	}},
	{"nil leaves the value", func(t testing.TB, newStore func() apivideo.Store) {
		s, key := newStore(), randomKey()
		mustUpdate(t, s, key, to(nil))
		expect(t, s, key, nil)
		mustUpdate(t, s, key, to([]byte("value")))
		mustUpdate(t, s, key, to(nil))
		expect(t, s, key, []byte("value"))
	}},
	{"an error of fn is returned and keeps the old value", func(t testing.TB, newStore func() apivideo.Store) {
		s, key := newStore(), randomKey()
		mustFail(t, s, key, []byte("not to be stored"))
		expect(t, s, key, nil)
		mustUpdate(t, s, key, to([]byte("old")))
		mustFail(t, s, key, nil)
		mustFail(t, s, key, []byte("not to be stored"))
		expect(t, s, key, []byte("old"))
	}},
	{"an error of fn releases the lock", func(t testing.TB, newStore func() apivideo.Store) {
		key := randomKey()
		mustFail(t, newStore(), key, nil)
		mustUpdate(t, newStore(), key, to([]byte("value")))
	}},
}

// mustFail calls Update with a fn that returns value and an error.
func mustFail(t testing.TB, s apivideo.Store, key string, value []byte) {
	t.Helper()
	cause := errors.New("error of fn")
	wrapped := fmt.Errorf("wrapped: %w", cause)
	err := tryUpdate(t.Context(), t, s, key, func(context.Context, []byte) ([]byte, error) { return value, wrapped })
	if !errors.Is(err, wrapped) || !errors.Is(err, cause) {
		t.Errorf("Update returned %v, in which errors.Is does not find the error of fn", err)
	}
}
