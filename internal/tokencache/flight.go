package tokencache

import (
	"context"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard/limit"
)

// flight is one renewal. All its waiters get its outcome.
type flight struct {
	ctx    context.Context // ends when the flight is aborted
	cancel context.CancelFunc
	reason string // for the log
	start  time.Time

	// Only for the code that runs the flight.
	account *Account
	issuing time.Duration // the time that auth calls took

	done    chan struct{} // closed when outcome is set
	outcome outcome
}

// outcome is how a flight ended: with a token, from the service or the Store, or
// with a failure. The zero outcome is that of a flight that was aborted, and
// learned nothing: those who wait start another.
type outcome struct {
	token   *Token
	failure *failure
}

// fails reports whether callers get an error.
func (o outcome) fails() bool { return o.failure != nil && !o.failure.postponed }

// progress is what changes while a flight runs.
type progress struct {
	waiters int
	doing   string // what the flight waits for, for error messages
	before  error  // of the latest auth call, if it failed, according to the Store
	spent   string // a refresh token that nobody must send again
	forced  bool   // by Renew: only a token from after the start counts

	// refused is the token that the API refused; nil if that is not the reason.
	// With since, only a token that was requested after that time will do.
	refused *Token
	since   time.Time
	trial   trial // of the new token

	hold      chan struct{} // closed when requests no longer wait for the flight; nil if they need not
	holdTimer *time.Timer   // of the hold; not nil if there was one
}

// join returns the running flight, or starts one, for a caller to wait for. The
// error says why no flight may start.
func (s *state) join(w *waiter, reason string) (*flight, error) {
	switch {
	case w.ended:
		return nil, errEnded
	case s.flight == nil && s.failures.block(s.now):
		return nil, s.failures.err
	case s.flight == nil:
		s.begin(reason)
	}
	s.progress.waiters++
	return s.flight, nil
}

// begin starts a flight. None is running.
func (s *state) begin(reason string) {
	s.flight = &flight{reason: reason, start: s.now, done: make(chan struct{})}
	s.progress = &progress{doing: "starting"}
	if s.refused() {
		s.progress.refused = s.cur
	}
	if !s.failures.counts(s.now) {
		s.failures.forget(s.now)
	}
	s.cache.launch(s.flight)
}

// launch runs f in the background.
func (c *Cache) launch(f *flight) {
	f.ctx, f.cancel = context.WithCancel(c.values)
	go func() {
		select {
		case <-c.ended:
			c.do(func(s *state) { s.abandon(f) })
		case <-f.ctx.Done():
		}
	}()
	go func() {
		defer f.cancel()
		o := c.obtain(f)
		c.do(func(s *state) { s.land(f, o) })
	}()
}

// wait waits for the end of a flight, of its hold, or of the caller's context.
func (c *Cache) wait(w *waiter, f *flight) (outcome, error) {
	if !w.counted {
		w.counted = true
		c.waits.Add(1)
	}
	select {
	case <-f.done:
		return f.outcome, nil
	case <-w.over:
	case <-w.done:
		w.ended = true
	}
	s := c.lock()
	defer c.unlock(s)
	w.doing = s.leave(f)
	switch {
	case w.ended:
		return outcome{}, errEnded
	case s.flight != f: // it ended its hold, and then itself
		return f.outcome, nil
	}
	return outcome{}, nil
}

// leave removes one waiter from f. It returns what f waits for.
func (s *state) leave(f *flight) (doing string) {
	p := s.of(f)
	p.waiters--
	s.abandon(f)
	return p.doing
}

// of returns the progress of f. What is written to it after f has ended is lost.
func (s *state) of(f *flight) *progress {
	if s.flight == f {
		return s.progress
	}
	return &progress{}
}

// abandon aborts f if nobody waits for it and the construction context has ended.
func (s *state) abandon(f *flight) {
	if s.of(f).waiters <= 0 && s.cache.hasEnded() {
		f.cancel()
	}
}

// land ends f: it publishes the token, or remembers the failure.
func (s *state) land(f *flight, o outcome) {
	p, before := s.progress, s.failures
	s.endHold()
	s.flight, s.progress, s.timerAt = nil, nil, limit.Moment{}
	switch {
	case o.token != nil:
		s.publish(o.token)
		if p.waiters > 0 {
			o.token.handOut() // now, so that the timer knows
		}
	case f.ctx.Err() != nil:
		o = outcome{}
	case o.failure != nil:
		s.remember(o.failure, f.start)
	}
	f.outcome = o
	s.prepare() // before anybody goes on
	close(f.done)
	s.logFlight(f, p.waiters, before)
}

// tell sets what f waits for.
func (c *Cache) tell(f *flight, doing string) {
	c.do(func(s *state) { s.of(f).doing = doing })
}
