package apikey_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/apikey"
	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGetterKnowsTheLastTwoKeys(t *testing.T) {
	keys := []string{"made-up-key-1", "made-up-key-2", "made-up-key-3", "made-up-key-3"}
	next := 0
	g := apikey.From(new(guard.Bound), func(context.Context) (string, error) { next++; return keys[next-1], nil })
	for _, want := range keys {
		got, err := g.Get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	text := strings.Join(keys, " ") + " made-up-other"
	assert.Equal(t, "made-up-key-1 [redacted] [redacted] [redacted] [redacted]", g.Secrets("made-up-other").Redact(text))
}

func TestGetterOfAFixedKey(t *testing.T) {
	g := apikey.Fixed("made-up-key")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	key, err := g.Get(ctx)
	require.NoError(t, err)
	assert.Equal(t, "made-up-key", key)
	assert.Equal(t, "[redacted]", g.Secrets().Redact(key))
}

// The key that comes with an error is a secret too.
func TestGetterErrorHidesKeys(t *testing.T) {
	fail := fmt.Errorf("apivideo: made-up-key is bad: %w", fs.ErrNotExist)
	g := apikey.From(new(guard.Bound), func(context.Context) (string, error) { return "made-up-key", fail })
	_, err := g.Get(t.Context())
	require.ErrorAs(t, err, new(*apikey.Error))
	assert.EqualError(t, err, "apivideo: getting the API key: [redacted] is bad: file does not exist")
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.NotErrorIs(t, err, fail)
}

func TestGetterErrorIsTheProgramsOwn(t *testing.T) {
	fail := errors.New("no vault")
	_, err := apikey.From(new(guard.Bound), func(context.Context) (string, error) { return "", fail }).Get(t.Context())
	assert.ErrorIs(t, err, fail)
}

func TestGetterPanicStaysACrash(t *testing.T) {
	first := true
	g := apikey.From(new(guard.Bound), func(context.Context) (string, error) {
		if first {
			first = false
			return "made-up-key", nil
		}
		panic("made-up-key")
	})
	_, err := g.Get(t.Context())
	require.NoError(t, err)
	_, err = g.Get(t.Context())
	crash := new(guard.Crash)
	require.ErrorAs(t, err, &crash)
	assert.Equal(t, "panic: [redacted]", crash.Text)
	assert.Contains(t, string(crash.Stack), "getter_test.go")
}

func TestGetterHangingCallsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		released := make(chan struct{})
		g := apikey.From(new(guard.Bound), func(context.Context) (string, error) {
			calls.Add(1)
			<-released
			return "made-up-key", nil
		})
		for range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := g.Get(ctx)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			cancel()
		}
		assert.EqualValues(t, 4, calls.Load())
		close(released)
		key, err := g.Get(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "made-up-key", key)
	})
}
