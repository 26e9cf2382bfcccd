// Package tokencache keeps one account's access token ready. It renews the
// token, one renewal at a time, remembers failures, and shares both over a
// Store. It gets tokens through an [Issuer] and knows nothing of HTTP.
package tokencache

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/journal"
)

// Cache keeps the current token and has it renewed. It is safe for concurrent
// use.
type Cache struct {
	values  context.Context // the values of the construction context
	ended   <-chan struct{} // its end, which ends renewal ahead of expiry
	issuer  Issuer
	store   Store // nil: the token stays in this process
	journal *journal.Journal

	// ready is cur, or nil if requests must take the lock: cur was refused or
	// invalidated. Written with mu held.
	ready atomic.Pointer[Token]

	waits atomic.Uint64 // callers that waited for a flight

	// mu is held for no I/O, no callback, and no code from outside this package.
	mu       sync.Mutex
	cur      *Token      // the latest token, usable or not; nil before the first
	account  *Account    // of the latest flight; nil before the first
	events   Mark        // counts refusals and auth calls, in their order
	retired  tokenSet    // tokens not to be used again, cur perhaps among them
	refusals refusals    // tokens that the API refused, or that were invalidated
	flight   *flight     // the renewal under way, if any
	failures failures    // since the last success
	timer    *time.Timer // for the next renewal ahead of expiry
	stats    Stats
	logged   logged
}

// New returns a Cache. The values of ctx go with every call of the Issuer and
// the Store. When ctx ends, there is no renewal ahead of expiry any more. A nil
// Store keeps the token in this process; a nil Journal is silent.
func New(ctx context.Context, i Issuer, s Store, j *journal.Journal) *Cache {
	return &Cache{values: context.WithoutCancel(ctx), ended: ctx.Done(), issuer: i, store: s, journal: j}
}

// Get returns the current token, or waits for one. ctx bounds the wait.
func (c *Cache) Get(ctx context.Context) (*Token, error) {
	now := time.Now()
	// The path of nearly every request: no lock, no allocation.
	if t := c.ready.Load(); t != nil && !t.renewAt.passed(now) {
		t.handOut()
		return t, nil
	}
	w := newWaiter(ctx)
	for {
		c.mu.Lock()
		if t := c.serve(now); t != nil {
			c.mu.Unlock()
			return t, nil
		}
		f, err := c.join(w, now, reasonCold)
		c.mu.Unlock()
		if err != nil {
			return nil, w.errorOf(err)
		}
		t, err := c.wait(w, f)
		now = time.Now()
		switch {
		case err == errAborted:
			continue
		case err != nil && !w.left:
			// The token that was to be replaced may serve on.
			c.mu.Lock()
			defer c.mu.Unlock()
			if t := c.serve(now); t != nil {
				return t, nil
			}
		}
		return t, w.errorOf(err)
	}
}

// Renew returns a new token, whatever the current one is. A failure that
// another process shared does not keep it from asking.
func (c *Cache) Renew(ctx context.Context) (*Token, error) {
	w := newWaiter(ctx)
	for {
		c.mu.Lock()
		if c.failures.shared {
			c.failures.until = moment{}
		}
		f, err := c.join(w, time.Now(), reasonRenew)
		if err == nil {
			f.forced = true
		}
		c.mu.Unlock()
		if err != nil {
			return nil, w.errorOf(err)
		}
		if t, err := c.wait(w, f); err != errAborted {
			return t, w.errorOf(err)
		}
	}
}

// Invalidate takes the access token out of use if it is the current one.
func (c *Cache) Invalidate(accessToken string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cur != nil && c.cur.AccessToken == accessToken {
		c.events++
		c.refusals.add(c.cur, c.events)
		c.retired.add(c.cur.id)
		c.ready.Store(nil)
	}
}

// serve returns the current token for a request that need not wait, and has
// it renewed behind the request when that is due. c.mu is held.
func (c *Cache) serve(now time.Time) *Token {
	t := c.current(now)
	if t == nil || c.replacing() {
		return nil
	}
	t.handOut()
	c.renewAhead(now)
	return t
}

// current returns cur if it is usable. c.mu is held.
func (c *Cache) current(now time.Time) *Token {
	if c.cur == nil || c.cur.usableUntil.passed(now) || c.retired.has(c.cur.id) {
		return nil
	}
	return c.cur
}
