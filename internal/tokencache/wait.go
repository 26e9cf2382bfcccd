package tokencache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
)

// waiter is a caller that needs a token. Methods of its context are foreign
// code: they are never called with the lock.
type waiter struct {
	ctx   context.Context
	done  <-chan struct{}
	over  <-chan struct{} // closed when it need not wait any longer; nil: it must
	ended bool            // the context has ended
	start time.Time
	doing string // what its flight waited for when it stopped waiting; "" if there was none

	counted bool // in Stats.Waits
}

func newWaiter(ctx context.Context) *waiter {
	return &waiter{ctx: ctx, done: ctx.Done(), ended: ctx.Err() != nil, start: time.Now()}
}

// errEnded stands for the error of a waiter whose context has ended.
var errEnded = errors.New("the context has ended")

// errorOf returns the error for the caller: a [WaitError] in place of errEnded.
func (w *waiter) errorOf(err error) error {
	if err != errEnded {
		return err
	}
	e := &WaitError{err: guard.EndOf(w.ctx)}
	if w.doing != "" {
		waited := time.Since(w.start)
		unit := 100 * time.Millisecond
		if waited < unit {
			unit = time.Millisecond
		}
		e.doing = fmt.Sprintf(" (%s, for %v)", w.doing, waited.Round(unit))
	}
	return e
}

// Ended returns the error of a caller whose context has ended.
func Ended(ctx context.Context) error { return newWaiter(ctx).errorOf(errEnded) }

// WaitError is the error of a caller whose context ended before it got a token.
// It is a timeout, as in [net.Error], if the context's deadline passed.
type WaitError struct {
	doing string
	err   error
}

func (e *WaitError) Error() string {
	return "apivideo: waiting for an access token" + e.doing + ": " + e.err.Error()
}
func (e *WaitError) Unwrap() error   { return e.err }
func (e *WaitError) Timeout() bool   { return errors.Is(e.err, context.DeadlineExceeded) }
func (e *WaitError) Temporary() bool { return true }
