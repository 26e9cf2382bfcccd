package tokencache

import (
	"context"
	"errors"
	"time"
)

// flight is one renewal. All its waiters get its result.
type flight struct {
	ctx     context.Context // ends when the flight is aborted
	cancel  context.CancelFunc
	done    chan struct{} // closed when token and err are set
	reason  string        // for the log
	start   time.Time
	account *Account // set by identify

	issuing time.Duration // the time that auth calls took

	// Guarded by Cache.mu until done is closed.
	waiters int
	doing   string  // what the flight waits for, for error messages
	before  error   // of the latest auth call, if it failed, according to the Store
	spent   string  // a refresh token that nobody must send again
	forced  bool    // by Renew: only a token from after the start counts
	since   Mark    // only a token that was requested after this counts
	refused *Token  // the token that the API refused; nil if that is not the reason
	failure failure // the failure to remember for err
	token   *Token
	err     error // errAborted if the flight learned nothing
}

// errAborted reports a flight that was aborted before it learned anything.
// Its waiters start another.
var errAborted = errors.New("apivideo: the renewal was aborted")

// join returns the running flight, or starts one, for a caller to wait for. The
// error says why no flight may start. c.mu is held.
func (c *Cache) join(w *waiter, now time.Time, reason string) (*flight, error) {
	switch {
	case w.left:
		return nil, errLeft
	case c.flight == nil && c.failures.block(now):
		return nil, c.failures.err
	case c.flight == nil:
		c.begin(now, reason)
	}
	c.flight.waiters++
	return c.flight, nil
}

// wait waits for the end of a flight, or of the caller's context.
func (c *Cache) wait(w *waiter, f *flight) (*Token, error) {
	if !w.counted {
		w.counted = true
		c.waits.Add(1)
	}
	select {
	case <-f.done:
	case <-w.done:
		c.leave(w, f)
		return nil, errLeft
	}
	if f.err != nil {
		return nil, f.err
	}
	f.token.handOut()
	if now := time.Now(); f.token.renewAt.passed(now) { // adopted shortly before its expiry
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.current(now) != nil {
			c.renewAhead(now)
		}
	}
	return f.token, nil
}

// leave removes one waiter from f.
func (c *Cache) leave(w *waiter, f *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.waiters--
	c.abandon(f)
	w.left, w.doing = true, f.doing
}

// abandon aborts f if nobody waits for it and the construction context has
// ended. c.mu is held.
func (c *Cache) abandon(f *flight) {
	if f.waiters == 0 && c.hasEnded() {
		f.cancel()
	}
}

// hasEnded reports whether the construction context has ended.
func (c *Cache) hasEnded() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// awaited reports whether f has waiters.
func (c *Cache) awaited(f *flight) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return f.waiters > 0
}

// tell sets what f waits for.
func (c *Cache) tell(f *flight, doing string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.doing = doing
}

// begin starts a flight. c.mu is held, and no flight is running.
func (c *Cache) begin(now time.Time, reason string) {
	f := &flight{done: make(chan struct{}), reason: reason, doing: "starting", start: now}
	f.ctx, f.cancel = context.WithCancel(c.values)
	c.flight = f
	if !c.failures.counts(now) {
		c.failures.forget(now)
	}
	go c.watch(f)
	go func() {
		defer f.cancel()
		t, err := c.obtain(f)
		c.land(f, t, err)
	}()
}

// watch abandons f when the construction context ends. It returns when f ends.
func (c *Cache) watch(f *flight) {
	select {
	case <-c.ended:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.abandon(f)
	case <-f.ctx.Done():
	}
}

// land ends a flight. It publishes the token, or remembers the failure.
func (c *Cache) land(f *flight, t *Token, err error) {
	_, unshared := err.(*storeError) // others may wrap foreign errors, whose methods are not called
	aborted := err != nil && f.ctx.Err() != nil
	var why Explanation
	if err != nil && !aborted && !unshared && f.failure.err == nil {
		why = c.explain(err)
	}
	now := time.Now()
	c.mu.Lock()
	c.flight = nil
	f.token, f.err = t, err
	before := c.failures
	switch {
	case err == nil:
		c.publish(f, t)
	case aborted:
		f.err = errAborted
	case unshared:
		f.err = errAborted
		f.failure = c.next(err, Explanation{Temporary: true}, before.count, now)
		f.failure.err = nil
		c.remember(f, err, now)
	default:
		if f.failure.err == nil {
			f.failure = c.next(err, why, before.count, now)
		}
		c.remember(f, err, now)
	}
	if c.cur != nil && !c.retired.has(c.cur.id) {
		c.ready.Store(c.cur)
	}
	c.schedule(now)
	close(f.done)
	if !aborted {
		c.logFlight(f, before, now)
	}
	c.mu.Unlock()
}

// publish makes t the current token. c.mu is held.
func (c *Cache) publish(f *flight, t *Token) {
	if c.cur != nil {
		// A clock that was ahead may make it expire later than its successor.
		c.retired.add(c.cur.id)
	}
	if f.refused != nil {
		t.hold = c.holdOf(t, f.refused)
	}
	c.retired.remove(t.id) // in case the service issues the same one again
	c.cur = t
	c.failures = failures{}
	if t.shared {
		c.counters.adopted++
	}
}
