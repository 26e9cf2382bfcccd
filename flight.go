package apivideo

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// cache keeps the current token of a Source and has it renewed.
type cache struct {
	ctx       context.Context // of the construction: values, and an end to renewal ahead of expiry
	conf      Config
	*service  // nil if configErr is not
	configErr error
	sealer    *sealer // nil without a Store

	// ready is cur while a request may use it without a further look: not
	// refused, not invalidated. Written with mu held.
	ready atomic.Pointer[entry]

	// mu is held for no I/O and no callback.
	mu      sync.Mutex
	cur     *entry      // the latest token, usable or not; nil before the first
	dropped rejected    // tokens not to be used again, cur perhaps among them
	spent   string      // a refresh token not to be sent again
	flight  *flight     // the renewal under way, if any
	pause   pause       // after a failed flight
	timer   *time.Timer // for the next renewal ahead of expiry
}

// flight is one renewal, and what its callers share.
type flight struct {
	ctx    context.Context // ends when the flight is aborted
	cancel context.CancelFunc
	done   chan struct{} // closed when entry and err are set

	// Guarded by cache.mu until done is closed.
	waiters int
	forced  bool   // by Renew: a token that another process has already got will not do
	refused *entry // the token that the API refused, if that is why
	entry   *entry
	err     error // errAgain if the flight decided nothing
}

// errAgain ends a flight that found out nothing about the service: those who
// wait for it begin another.
var errAgain = errors.New("apivideo: the renewal was broken off")

// pause is what is remembered of a failed flight.
type pause struct {
	failures int
	until    time.Time // no flight begins before
	err      error     // for those who need a token meanwhile; nil lets them begin a flight
}

// blocks reports whether those who need a token get the error instead.
func (p pause) blocks(now time.Time) bool { return p.err != nil && now.Before(p.until) }

func newCache(ctx context.Context, conf Config) *cache {
	c := &cache{ctx: ctx, conf: conf}
	c.service, c.configErr = conf.service(ctx)
	if c.configErr == nil && conf.Store != nil {
		c.sealer, c.configErr = newSealer(conf.APIKey, c.base.String())
	}
	return c
}

// token returns the current token, or waits for one.
func (c *cache) token(ctx context.Context) (*entry, error) {
	now := time.Now()
	// The path of nearly every request: no lock, no allocation.
	if e := c.ready.Load(); e != nil && !e.renewAt.passed(now) {
		e.use()
		return e, nil
	}
	for {
		c.mu.Lock()
		if e := c.serve(now); e != nil {
			c.mu.Unlock()
			return e, nil
		}
		f := c.join(ctx, now)
		c.mu.Unlock()
		e, err := c.await(ctx, f)
		now = time.Now()
		switch {
		case err == errAgain:
			continue
		case err != nil && ctx.Err() == nil:
			// The token that was to be replaced may serve on.
			c.mu.Lock()
			defer c.mu.Unlock()
			if e := c.serve(now); e != nil {
				return e, nil
			}
		}
		return e, err
	}
}

// serve returns the current token for a request if it needs not wait, and has
// it renewed behind the request when that is due. c.mu is held.
func (c *cache) serve(now time.Time) *entry {
	e := c.current(now)
	if e == nil || c.awaited() {
		return nil
	}
	e.use()
	c.renewAhead(now)
	return e
}

// renewNow returns a new token, whatever the current one is.
func (c *cache) renewNow(ctx context.Context) (*entry, error) {
	for {
		c.mu.Lock()
		f := c.join(ctx, time.Now())
		f.forced = true
		c.mu.Unlock()
		if e, err := c.await(ctx, f); err != errAgain {
			return e, err
		}
	}
}

// invalidate takes the access token out of use if it is the current one.
func (c *cache) invalidate(accessToken string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cur != nil && c.cur.token.AccessToken == accessToken {
		c.dropped.add(c.cur)
		c.ready.Store(nil)
	}
}

// current returns cur if it is usable. c.mu is held.
func (c *cache) current(now time.Time) *entry {
	if c.cur == nil || c.cur.unusable.passed(now) || c.dropped.has(c.cur) {
		return nil
	}
	return c.cur
}

// awaited reports whether cur was refused and its successor is on the way.
// c.mu is held.
func (c *cache) awaited() bool {
	return c.flight != nil && c.flight.refused != nil && c.flight.refused.same(c.cur)
}

// join returns the flight under way, or a new one, to be awaited by a caller
// with this context. Where no flight may begin, it returns one that has ended
// with the reason. c.mu is held.
func (c *cache) join(ctx context.Context, now time.Time) *flight {
	switch {
	case ctx.Err() != nil:
		return endedFlight(waitErrorOf(ctx))
	case c.flight == nil && c.pause.blocks(now):
		return endedFlight(c.pause.err)
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

// await waits for the end of a flight, or of ctx.
func (c *cache) await(ctx context.Context, f *flight) (*entry, error) {
	select {
	case <-f.done:
	case <-ctx.Done():
		c.leave(f)
		return nil, waitErrorOf(ctx)
	}
	if f.err != nil {
		return nil, f.err
	}
	f.entry.use()
	if now := time.Now(); f.entry.renewAt.passed(now) { // adopted late in its life
		c.mu.Lock()
		defer c.mu.Unlock()
		c.serve(now)
	}
	return f.entry, nil
}

// replace returns the successor of a token that the API refused. It does not
// wait, and returns errHeld, while the refusals are not to be believed.
func (c *cache) replace(ctx context.Context, refused *entry) (*entry, error) {
	for {
		now := time.Now()
		c.mu.Lock()
		if !refused.same(c.cur) {
			c.mu.Unlock()
			return c.token(ctx)
		}
		if c.flight == nil && c.cur.held(now) {
			c.mu.Unlock()
			return nil, errHeld
		}
		f := c.join(ctx, now)
		c.refuse(f)
		c.mu.Unlock()
		if e, err := c.await(ctx, f); err != errAgain {
			return e, err
		}
	}
}

// replaceBehind starts what replace waits for.
func (c *cache) replaceBehind(refused *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if !refused.same(c.cur) || c.flight == nil && c.cur.held(now) {
		return
	}
	// Its caller has nothing to wait for, but will need the token when it sends
	// the request anew: the flight is one that is waited for.
	c.refuse(c.join(context.Background(), now))
}

// refuse notes that f is to replace the current token, which the API refused.
// c.mu is held.
func (c *cache) refuse(f *flight) {
	if f == c.flight {
		f.refused = c.cur
		c.ready.Store(nil) // who comes now waits for the new one
	}
}

// leave takes one off those who wait for f.
func (c *cache) leave(f *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.waiters--
	c.abandon(f)
}

// abandon aborts f if nobody waits for it and the construction context has
// ended. c.mu is held.
func (c *cache) abandon(f *flight) {
	if f.waiters == 0 && c.ctx.Err() != nil {
		f.cancel()
	}
}

// waited reports whether somebody waits for f.
func (c *cache) waited(f *flight) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return f.waiters > 0
}

// begin starts a flight. c.mu is held, and there is none.
func (c *cache) begin() {
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
		e, err := c.obtain(f)
		c.land(f, e, err)
	}()
}
