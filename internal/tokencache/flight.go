package tokencache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// flight is one renewal, and what its callers share.
type flight struct {
	ctx    context.Context // ends when the flight is aborted
	cancel context.CancelFunc
	done   chan struct{} // closed when token and err are set

	// Guarded by Cache.mu until done is closed.
	waiters int
	forced  bool   // by Renew: a token that another process has already got will not do
	refused *Token // the token that the API refused, if that is why
	token   *Token
	err     error // errAborted if the flight learned nothing
}

// errAborted reports a flight that was aborted before it learned anything.
// Its waiters start another.
var errAborted = errors.New("apivideo: the renewal was aborted")

// join returns the flight under way, or a new one, for a caller with this
// context to wait for. Where no flight may begin, it returns one that has ended
// with the reason. c.mu is held.
func (c *Cache) join(ctx context.Context, now time.Time) *flight {
	switch {
	case ctx.Err() != nil:
		return endedFlight(waitErrorOf(ctx))
	case c.flight == nil && c.failures.block(now):
		return endedFlight(c.failures.err)
	case c.flight == nil:
		c.begin()
	}
	c.flight.waiters++
	return c.flight
}

func endedFlight(err error) *flight {
	f := &flight{done: make(chan struct{}), err: err}
	close(f.done)
	return f
}

// wait waits for the end of a flight, or of ctx.
func (c *Cache) wait(ctx context.Context, f *flight) (*Token, error) {
	select {
	case <-f.done:
	case <-ctx.Done():
		c.leave(f)
		return nil, waitErrorOf(ctx)
	}
	if f.err != nil {
		return nil, f.err
	}
	f.token.handOut()
	if now := time.Now(); f.token.renewAt.passed(now) { // adopted late in its life
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.current(now) != nil {
			c.renewAhead(now)
		}
	}
	return f.token, nil
}

// leave takes one off those who wait for f.
func (c *Cache) leave(f *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.waiters--
	c.abandon(f)
}

// abandon aborts f if nobody waits for it and the construction context has
// ended. c.mu is held.
func (c *Cache) abandon(f *flight) {
	if f.waiters == 0 && c.ctx.Err() != nil {
		f.cancel()
	}
}

// awaited reports whether somebody waits for f.
func (c *Cache) awaited(f *flight) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return f.waiters > 0
}

// begin starts a flight. c.mu is held, and there is none.
func (c *Cache) begin() {
	f := &flight{done: make(chan struct{})}
	f.ctx, f.cancel = context.WithCancel(context.WithoutCancel(c.ctx))
	c.flight = f
	go func() {
		defer f.cancel()
		defer context.AfterFunc(c.ctx, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.abandon(f)
		})()
		t, err := c.obtain(f)
		c.land(f, t, err)
	}()
}

// land ends a flight: it publishes the token, or remembers the failure.
func (c *Cache) land(f *flight, t *Token, err error) {
	now := time.Now()
	f.token, f.err = t, err
	c.mu.Lock()
	c.flight = nil
	switch _, unshared := errors.AsType[*storeError](err); {
	case err == nil:
		c.publish(f, t)
	case f.ctx.Err() != nil: // aborted
		f.err = errAborted
	case unshared:
		f.err = errAborted
		c.remember(nil, true, 0, now)
	default:
		temporary, wait := c.issuer.Retry(err)
		c.remember(err, temporary, wait, now)
	}
	if c.cur != nil && !c.retired.has(c.cur) {
		c.ready.Store(c.cur)
	}
	c.schedule(now)
	until := c.failures.until
	close(f.done)
	c.mu.Unlock()
	if err == nil {
		c.log(slog.LevelDebug, "api.video: new access token", "expiry", t.Expiry)
	} else if f.ctx.Err() == nil {
		c.log(slog.LevelWarn, "api.video: no new access token", "error", err, "next_attempt_in", until.Sub(now))
	}
}

// publish makes t the current token. c.mu is held.
func (c *Cache) publish(f *flight, t *Token) {
	if c.cur != nil {
		// By a clock that was ahead, it may seem to outlive its successor.
		c.retired.add(c.cur)
	}
	if f.refused != nil {
		// What another process renewed is worth a first try.
		if hold := f.refused.nextHold(); !t.shared || hold > firstHold {
			t.hold = hold
		}
	}
	c.retired.remove(t) // in case the service issues the same one again
	c.cur = t
	c.failures = failures{}
}

func (c *Cache) log(level slog.Level, message string, args ...any) {
	if c.logger != nil {
		c.logger.Log(context.WithoutCancel(c.ctx), level, message, args...)
	}
}

// WaitError is the error of a caller whose context ended before the token was
// there. It is a time-out for package net if the context's deadline passed.
type WaitError struct{ err error }

func waitErrorOf(ctx context.Context) error { return &WaitError{EndOf(ctx)} }

func (e *WaitError) Error() string   { return "apivideo: waiting for an access token: " + e.err.Error() }
func (e *WaitError) Unwrap() error   { return e.err }
func (e *WaitError) Timeout() bool   { return errors.Is(e.err, context.DeadlineExceeded) }
func (e *WaitError) Temporary() bool { return true }

// EndOf is why ctx has ended: its error and, if it has one of its own, its
// cause.
func EndOf(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, ctx.Err()) {
		return cause
	}
	return fmt.Errorf("%w: %w", ctx.Err(), cause)
}
