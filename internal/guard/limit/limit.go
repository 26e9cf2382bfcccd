// Package limit limits how long code may take, and knows when the process itself did
// not run meanwhile.
package limit

import (
	"context"
	"time"
)

// slack is how late a limit may be on a busy machine. One that is later shows
// that the process did not run: it was stopped, or the machine slept.
const slack = 2 * time.Second

// Overdue is the error of a call that exceeded its time limit. It matches
// context.DeadlineExceeded.
type Overdue struct {
	Limit time.Duration
	// Late reports that the process did not run when the limit ended. The call
	// may not have had its time.
	Late bool

	due time.Time
}

func (o Overdue) Error() string { return "no answer within " + o.Limit.String() }
func (o Overdue) Unwrap() error { return context.DeadlineExceeded }

// With returns a context that ends after d, with an [Overdue] as its cause.
func With(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return WithGrace(ctx, d, 0)
}

// WithGrace is [With] with a context that ends later, by grace: the code that
// is called may report its own error until then. The error names d.
func WithGrace(ctx context.Context, d, grace time.Duration) (context.Context, context.CancelFunc) {
	d = max(d, 0)
	return context.WithTimeoutCause(ctx, d+grace, Overdue{Limit: d, due: time.Now().Add(d + grace)})
}

// Cause is context.Cause for a context that has just ended. If a limit ended it,
// the error says whether the limit was late.
func Cause(ctx context.Context) error {
	err := context.Cause(ctx)
	if o, ok := err.(Overdue); ok && !o.due.IsZero() {
		o.Late = Elapsed(o.due, time.Now()) > slack
		return o
	}
	return err
}

// Ended reports whether ctx has ended. A process that did not run finds a limit past
// its time before the timer has fired: Ended then waits for that.
func Ended(ctx context.Context) bool {
	if end, ok := ctx.Deadline(); ok && !time.Now().Before(end) {
		<-ctx.Done()
	}
	return ctx.Err() != nil
}

// Elapsed returns the time since then, by the clock that says more. The monotonic
// clock may stop while a machine sleeps, and the wall clock may be set back.
func Elapsed(then, now time.Time) time.Duration {
	return max(now.Sub(then), now.Round(0).Sub(then.Round(0)))
}

// patience is the number of ticks that make up the limit of WithPatience.
const patience = 20

// WithPatience returns a context that ends after d, counted in ticks. While the
// machine is too busy to run this process, no ticks are counted: the limit is
// for code that hangs, not for a busy machine.
func WithPatience(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		part := time.NewTicker(d / patience)
		defer part.Stop()
		for range patience {
			select {
			case <-part.C:
			case <-ctx.Done():
				return
			}
		}
		cancel(Overdue{Limit: d})
	}()
	return ctx, func() { cancel(nil) }
}

// Within receives from c. ok is false if that takes longer than d, or ctx ends.
func Within[T any](ctx context.Context, d time.Duration, c <-chan T) (v T, ok bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case v = <-c:
		return v, true
	case <-timer.C:
	case <-ctx.Done():
	}
	return v, false
}
