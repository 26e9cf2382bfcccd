package tokencache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
)

// waiter is a caller that needs a token. Methods of its context are foreign
// code: they are never called while Cache.mu is held.
type waiter struct {
	ctx   context.Context
	done  <-chan struct{}
	over  <-chan struct{} // closed when it need not wait any longer; nil: it must
	left  bool            // the context has ended
	start time.Time
	doing string // what its flight waited for when it left; "" if there was none

	counted bool // in Stats.Waits
}

func newWaiter(ctx context.Context) *waiter {
	return &waiter{ctx: ctx, done: ctx.Done(), left: ctx.Err() != nil, start: time.Now()}
}

// errLeft stands for the error of a waiter whose context has ended.
var errLeft = errors.New("the context has ended")

// errorOf returns the error for the caller: a [WaitError] in place of errLeft.
func (w *waiter) errorOf(err error) error {
	if err != errLeft {
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

// Left returns the error of a caller whose context has ended.
func Left(ctx context.Context) error { return newWaiter(ctx).errorOf(errLeft) }

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
