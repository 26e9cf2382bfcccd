package tokencache

import (
	"bytes"
	"context"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
)

const (
	storeTime = 1 * time.Second // for reading from the Store, and for writing to it
	lastPart  = 8               // in the last eighth of the renewal window, the Store is not needed
)

// storeError is a failure of the Store. It says nothing about the service.
type storeError struct {
	doing string
	text  string // of a foreign error, whose methods may not be called again
	cause error  // a *guard.Crash or an Overdue; nil otherwise
}

func (e *storeError) Error() string { return "apivideo: " + e.doing + " the store: " + e.text }

func (e *storeError) Unwrap() error { return e.cause }

// obtainShared gets the token of a flight. If another process has stored a new
// one, it takes that. If not, it renews under the Store's lock. If the Store
// fails, it renews without it, or returns a *storeError if there is time to retry.
func (c *Cache) obtainShared(f *flight) (*Token, error) {
	c.tell(f, "the store")
	seen, err := c.look(f)
	if err == nil {
		var t *Token
		end, ok := c.settled(f, seen, held{})
		if ok && !c.isForced(f) { // Renew needs a token from after its call
			t, err = c.take(f, end)
		} else {
			t, err = c.renewShared(f, seen)
		}
		if err == nil {
			return t, nil
		}
	}
	if _, ok := err.(*storeError); !ok || f.ctx.Err() != nil {
		return nil, err
	}
	c.storeFails(err)
	if c.canWait(f) {
		return nil, err
	}
	return c.issue(f, seen.token)
}

// look reads the Store. It returns after storeTime even if the Store ignores its
// context.
func (c *Cache) look(f *flight) (held, error) {
	ctx, cancel := withPatience(f.ctx, storeTime)
	defer cancel()
	a := f.account // which may change before a slow Load returns
	h, err := guard.Call(ctx, func() (held, error) {
		sealed, err := c.store.Load(ctx, a.Name)
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx) // it says more than the Store's error
		}
		if err != nil {
			return held{}, storeErrorOf("reading", err)
		}
		return c.open(a, bytes.Clone(sealed), time.Now()), nil
	})
	return h, storeErrorOf("reading", err)
}

// storeErrorOf makes a *storeError of an error of guard.Call.
func storeErrorOf(doing string, err error) error {
	if _, ok := err.(*storeError); ok || err == nil {
		return err
	}
	e := &storeError{doing: doing, text: err.Error()}
	switch err.(type) {
	case *guard.Crash, Overdue:
		e.cause = err
	}
	return e
}

// settled reports whether h, the content of the Store, ends the flight: with an
// adoptable token, or with a failure whose wait has not passed. seen is the
// content when the flight started.
func (c *Cache) settled(f *flight, h, seen held) (end held, ok bool) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.adoptable(f, h.token, seen.token, now) {
		h.token.asked = c.refusals.latest(h.token.refusedBefore)
		return held{token: h.token}, true
	}
	if c.blocks(f, h.failure, seen.failure, now) {
		return held{failure: h.failure}, true
	}
	return held{}, false
}

// blocks reports whether p, a failure in the Store, ends a flight. It does until
// its wait has passed. One that the flight has seen before, or whose wait this
// process has kept, does not: the clock that it is from may be ahead. c.mu is held.
func (c *Cache) blocks(f *flight, p, seen *failure, now time.Time) bool {
	switch {
	case p == nil || p.err == nil, p.same(seen), p.same(&c.failures.failure):
		return false
	case f.forced && p.at.Before(f.start):
		return false
	}
	return c.waitFor(p, now) > 0
}

// take returns the token or the failure that settled returned.
func (c *Cache) take(f *flight, end held) (*Token, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.storeWorks()
	if end.token != nil {
		return end.token, nil
	}
	f.failure = *end.failure
	return nil, end.failure.err
}

func (c *Cache) isForced(f *flight) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return f.forced
}

// adoptable reports whether a flight can use a token of the Store. The token must
// be usable and not retired. It must not be the current one, nor expire before
// it. c.mu is held.
func (c *Cache) adoptable(f *flight, t, seen *Token, now time.Time) bool {
	switch {
	case t == nil || t.usableUntil.passed(now) || c.retired.has(t.id):
		return false
	case f.forced && (t.Issued.Before(f.start) || t.same(seen)):
		return false
	case f.since > 0 && c.refusals.latest(t.refusedBefore) <= f.since:
		return false // it may have been revoked together with the refused one
	case t.same(c.cur) && t.Issued.Equal(c.cur.Issued):
		return false
	case c.cur == nil || c.cur.usableUntil.passed(now):
		return true
	}
	return !c.cur.outlives(t)
}

// canWait reports whether to retry later instead of renewing without the Store:
// nobody waits for the flight, and the current token is not yet in the last part
// of the renewal window.
func (c *Cache) canWait(f *flight) bool {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	cur := c.current(now)
	return f.waiters == 0 && cur != nil &&
		cur.usableUntil.left(now) > cur.usableUntil.t.Sub(cur.renewAt.t)/lastPart
}
