package guard_test

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGoReturnsWhatTheCodeDid(t *testing.T) {
	failed := errors.New("made-up")
	r := <-guard.Go(func() (int, error) { return 7, failed })
	assert.Equal(t, guard.Result[int]{Value: 7, Err: failed}, r)

	r = <-guard.Go(func() (int, error) { panic("made-up") })
	var crash *guard.Crash
	require.ErrorAs(t, r.Err, &crash)
	assert.EqualError(t, crash, "panic: made-up")
	assert.Contains(t, string(crash.Stack), "guard_test.go", "the stack of the panic")

	r = <-guard.Go(func() (int, error) { runtime.Goexit(); return 7, nil })
	require.ErrorAs(t, r.Err, &crash)
	assert.ErrorContains(t, crash, "runtime.Goexit")
	assert.Nil(t, crash.Stack)

	r = <-guard.Go(func() (int, error) { panic(badPanic{}) })
	assert.ErrorContains(t, r.Err, "panic: ")
}

// badPanic is a panic whose text panics, too.
type badPanic struct{}

func (badPanic) Error() string { panic("made-up") }

func TestCallWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		released := make(chan struct{})
		defer close(released)
		cause := errors.New("made-up cause")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, cause)
		defer cancel()
		start := time.Now()
		_, err := guard.Call(ctx, func() (int, error) { <-released; return 7, nil })
		assert.Same(t, cause, err)
		assert.Equal(t, time.Second, time.Since(start))
		n, err := guard.Call(t.Context(), func() (int, error) { return 7, nil })
		assert.Equal(t, 7, n)
		assert.NoError(t, err)
	})
}

// played is a context that ends when it is told to.
type played struct {
	context.Context
	done chan struct{}
	err  func() error
}

func (p played) Done() <-chan struct{} { return p.done }
func (p played) Err() error            { return p.err() }

func TestContextEndsWithAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		cause := errors.New("made-up cause")
		parent, end := context.WithCancelCause(context.WithValue(t.Context(), key{}, 7))
		ctx, stop := guard.Context(parent)
		defer stop()
		assert.Equal(t, 7, ctx.Value(key{}))
		assert.NoError(t, ctx.Err())
		end(cause)
		<-ctx.Done()
		assert.ErrorIs(t, context.Cause(ctx), cause)
		assert.ErrorIs(t, context.Cause(ctx), context.Canceled)

		ctx, stop = guard.Context(parent) // has ended already
		stop()
		assert.ErrorIs(t, context.Cause(ctx), cause)

		ctx, stop = guard.Context(t.Context())
		stop()
		<-ctx.Done() // and no goroutine is left
	})
}

func TestContextOfAStrangeOne(t *testing.T) {
	for name, err := range map[string]func() error{
		"panics": func() error { panic("made-up") },
		"ends":   func() error { runtime.Goexit(); return nil },
		"is nil": func() error { return nil },
	} {
		synctest.Test(t, func(t *testing.T) {
			p := played{t.Context(), make(chan struct{}), func() error { return nil }}
			late := p
			late.err = func() error {
				select {
				case <-p.done:
					return err()
				default:
					return nil
				}
			}
			ctx, stop := guard.Context(late)
			defer stop()
			close(p.done)
			<-ctx.Done()
			assert.Error(t, context.Cause(ctx), name)
		})
	}
}

func TestEndOf(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Equal(t, context.Canceled, guard.EndOf(canceled))
	assert.Equal(t, context.Canceled, guard.EndOf(t.Context()), "one that has not ended")
	cause := errors.New("made-up cause")
	ctx, end := context.WithCancelCause(t.Context())
	end(cause)
	assert.EqualError(t, guard.EndOf(ctx), "context canceled: made-up cause")
	own := errors.Join(context.Canceled, cause)
	ctx, end = context.WithCancelCause(t.Context())
	end(own)
	assert.Equal(t, own, guard.EndOf(ctx), "it says both")
}

func TestNil(t *testing.T) {
	for _, v := range []any{nil, (*int)(nil), map[string]int(nil), []int(nil), (func())(nil), (chan int)(nil), (*http.Transport)(nil)} {
		assert.True(t, guard.Nil(v), "%T", v)
	}
	for _, v := range []any{new(int), map[string]int{}, []int{}, func() {}, make(chan int), 0, "", struct{}{}} {
		assert.False(t, guard.Nil(v), "%T", v)
	}
}
