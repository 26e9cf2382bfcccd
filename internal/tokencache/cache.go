// Package tokencache keeps one account's access token. It renews the token, one
// renewal at a time. It remembers failures, so that callers do not repeat them.
// It shares tokens and failures over a Store. It gets tokens through an [Issuer]
// and does not know HTTP.
//
// One renewal is called a flight: it has any number of waiters, or none.
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
	ended   <-chan struct{} // closed when that context ends; background renewal then stops
	issuer  Issuer
	store   Store // nil: the token stays in this process
	journal *journal.Journal

	// ready is cur, or nil if requests must take the lock: cur was refused or
	// invalidated. Written with mu held.
	ready atomic.Pointer[Token]

	waits atomic.Uint64 // callers that waited for a flight

	// mu is never held during I/O, a callback, or code from outside this package.
	mu       sync.Mutex
	cur      *Token      // the latest token, usable or not; nil before the first
	account  *Account    // of the latest flight; nil before the first
	events   Mark        // counts refusals and auth calls, in one order
	retired  tokenSet    // tokens that must not be used again; may include cur
	refusals refusals    // tokens that the API refused, or that were invalidated
	flight   *flight     // the running flight; nil if there is none
	failures failures    // since the last success
	timer    *time.Timer // for the next renewal ahead of expiry
	counters counters
	logged   logged
}

// New returns a Cache. Calls of the Issuer and the Store get the values of ctx.
// When ctx ends, renewal ahead of expiry stops. If the Store is nil, the token
// stays in this process. A nil Journal logs nothing.
func New(ctx context.Context, i Issuer, s Store, j *journal.Journal) *Cache {
	return &Cache{values: context.WithoutCancel(ctx), ended: ctx.Done(), issuer: i, store: s, journal: j}
}

// Get returns the current token, or waits for one. ctx limits the wait.
func (c *Cache) Get(ctx context.Context) (*Token, error) {
	now := time.Now()
	// The fast path for nearly every request: no lock, no allocation.
	if t := c.ready.Load(); t != nil && !t.renewAt.passed(now) {
		t.handOut()
		return t, nil
	}
	return c.await(ctx, now)
}

// await is Get without the fast path.
func (c *Cache) await(ctx context.Context, now time.Time) (*Token, error) {
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
			// The renewal failed, but the old token may still be usable, even if
			// the next renewal is already replacing it.
			c.mu.Lock()
			defer c.mu.Unlock()
			if t := c.hand(now); t != nil {
				return t, nil
			}
		}
		return t, w.errorOf(err)
	}
}

// Renew returns a new token, even if the current one is usable. It returns a
// remembered failure of this process, but ignores one of another process.
func (c *Cache) Renew(ctx context.Context) (*Token, error) {
	w := newWaiter(ctx)
	for {
		now := time.Now()
		c.mu.Lock()
		if c.failures.other && !w.left {
			c.failures.until = momentOf(now)
		}
		f, err := c.join(w, now, reasonRenew)
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

// Invalidate stops using the access token if it is the current one.
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

// serve returns the current token, or nil if the request must wait. c.mu is held.
func (c *Cache) serve(now time.Time) *Token {
	if c.replacing() {
		return nil
	}
	return c.hand(now)
}

// hand returns the current token for a request, or nil if it is not usable. It
// starts the renewal ahead of expiry if that is due. c.mu is held.
func (c *Cache) hand(now time.Time) *Token {
	t := c.current(now)
	if t != nil {
		t.handOut()
		c.renewAhead(now)
	}
	return t
}

// current returns cur if it is usable, else nil. c.mu is held.
func (c *Cache) current(now time.Time) *Token {
	if c.cur == nil || c.cur.usableUntil.passed(now) || c.retired.has(c.cur.id) {
		return nil
	}
	return c.cur
}
