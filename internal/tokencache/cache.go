// Package tokencache keeps one account's access token. It renews the token, one
// renewal at a time. It remembers failures, so that callers do not repeat them.
// It shares tokens and failures over a Store. It gets tokens through an [Issuer]
// and does not know HTTP.
//
// One renewal is called a flight: it has any number of waiters, or none.
package tokencache

import (
	"context"
	"sync/atomic"
	"time"
	"weak"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/apivideo/api.video-go-oauth2/internal/guard/limit"
	"github.com/apivideo/api.video-go-oauth2/internal/journal"
)

// Cache keeps the current token and has it renewed. It is safe for concurrent
// use.
type Cache struct {
	values context.Context // the values of the construction context
	ended  <-chan struct{} // closed when that context ends; background renewal then stops
	issuer Issuer
	store  Store       // nil: the token stays in this process
	hung   guard.Bound // of calls of the Store that do not return

	waits atomic.Uint64 // callers that waited for a flight

	// ready is what requests may use without the lock; nil if they must take it.
	ready atomic.Pointer[offer]

	// The lock is never held during I/O, a callback, or code from outside this
	// package. Only lock and unlock use this field.
	locked guard.Locked[state]
}

// offer is a token, and until when requests may use it without the lock. Then
// something is due.
type offer struct {
	token *Token
	until limit.Moment
}

// New returns a Cache. Calls of the Issuer and the Store get the values of ctx.
// When ctx ends, renewal ahead of expiry stops. If the Store is nil, the token
// stays in this process. A nil Journal logs nothing.
func New(ctx context.Context, i Issuer, s Store, j *journal.Journal) *Cache {
	c := &Cache{values: context.WithoutCancel(ctx), ended: ctx.Done(), issuer: i, store: s}
	state := c.lock()
	defer c.unlock(state)
	state.cache, state.log.journal = c, j
	return c
}

// after calls f with the lock after d. The timer does not keep an unused Cache
// alive.
func (c *Cache) after(d time.Duration, f func(*state)) *time.Timer {
	ref := weak.Make(c)
	return time.AfterFunc(d, func() {
		if c := ref.Value(); c != nil {
			c.do(f)
		}
	})
}

// do calls f with the lock.
func (c *Cache) do(f func(*state)) {
	s := c.lock()
	defer c.unlock(s)
	f(s)
}

// lock acquires the lock. unlock must follow it.
func (c *Cache) lock() *state {
	s := c.locked.Lock()
	s.now = time.Now()
	return s
}

func (c *Cache) unlock(s *state) {
	s.prepare()
	c.locked.Unlock()
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

// Get returns the current token, or waits for one. ctx limits the wait. The time
// is one before the token is sent.
func (c *Cache) Get(ctx context.Context) (*Token, time.Time, error) {
	now := time.Now()
	// The fast path for nearly every request: no lock, no allocation.
	if o := c.ready.Load(); o != nil && !o.until.Passed(now) {
		o.token.handOut()
		return o.token, now, nil
	}
	t, err := c.await(ctx, demand{claim: (*state).get, old: true})
	return t, time.Now(), err
}

// Renew returns a new token, even if the current one is usable. It returns a
// remembered failure of this process, but ignores one of another process.
func (c *Cache) Renew(ctx context.Context) (*Token, error) {
	return c.await(ctx, demand{claim: (*state).renew})
}

// demand is what a caller wants.
type demand struct {
	claim func(*state, *waiter) (*Token, *flight, error) // for a token, or a flight to wait for
	suits func(*Token) bool                              // nil: every new token does
	old   bool                                           // the old token does, if the renewal fails and it is usable
}

// await waits for the flights that d names, until there is a token or an error.
func (c *Cache) await(ctx context.Context, d demand) (*Token, error) {
	w := newWaiter(ctx)
	for {
		var t *Token
		var f *flight
		var err error
		w.over = nil
		c.do(func(s *state) { t, f, err = d.claim(s, w) })
		if f == nil {
			return t, w.errorOf(err)
		}
		switch o, err := c.wait(w, f); {
		case err != nil:
			return nil, w.errorOf(err)
		case o.token != nil && (d.suits == nil || d.suits(o.token)):
			return o.token, nil
		case o.fails() && d.old:
			return c.serveAfter(o.failure)
		case o.fails():
			return nil, o.failure.err
		}
	}
}

// serveAfter returns the old token after a failed renewal, even if the next one is
// already replacing it, or the error if that token is not usable.
func (c *Cache) serveAfter(f *failure) (*Token, error) {
	s := c.lock()
	defer c.unlock(s)
	if t := s.hand(); t != nil {
		return t, nil
	}
	return nil, f.err
}

// Invalidate stops using the access token if it is the current one.
func (c *Cache) Invalidate(accessToken string) {
	c.do(func(s *state) { s.invalidate(accessToken) })
}
