package guard

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard/limit"
)

// MostHanging is how many calls of one [Bound] may hang.
const MostHanging = 8

// Patience is what a call that does not hang may need to return on a busy machine.
const Patience = 10 * time.Second

// ErrFull is the error of a call that was not made, because too many hang.
var ErrFull = errors.New("too many earlier calls hang")

// Bound limits the calls that hang: they have not returned, and nobody waits for
// them any more. Each holds a goroutine. The zero Bound is ready for use.
type Bound struct {
	// Patient counts a call only if it has run on for [Patience] without its caller:
	// many callers may leave at once, before their calls return.
	Patient bool

	hanging atomic.Int32
}

// Start is like [Go]. The caller must call leave when it stops waiting. ok is false,
// and f is not called, if [MostHanging] calls hang.
func Start[T any](b *Bound, f func() (T, error)) (results <-chan Result[T], leave func(), ok bool) {
	if b.hanging.Load() >= MostHanging {
		return nil, nil, false
	}
	const left, returned = 1, 2
	var state atomic.Int32
	results = Go(func() (T, error) {
		defer func() {
			if state.Swap(returned) == left {
				b.hanging.Add(-1)
			}
		}()
		return f()
	})
	count := func() {
		if state.CompareAndSwap(0, left) {
			b.hanging.Add(1)
		}
	}
	leave = count
	if b.Patient {
		leave = func() {
			if state.Load() != returned {
				time.AfterFunc(Patience, count)
			}
		}
	}
	return results, leave, true
}

// CallWithin is [Call] with a bound. If that is full, the error is [ErrFull].
func CallWithin[T any](ctx context.Context, b *Bound, f func() (T, error)) (v T, err error) {
	results, leave, ok := Start(b, f)
	if !ok {
		return v, ErrFull
	}
	defer leave()
	select {
	case r := <-results:
		return r.Value, r.Err
	case <-ctx.Done():
		return v, limit.Cause(ctx)
	}
}
