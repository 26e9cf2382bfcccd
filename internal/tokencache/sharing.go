package tokencache

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
)

const (
	storeTime = 1 * time.Second // for reading from the Store, and for writing to it
	lastPart  = 8               // in the last eighth of the renewal window, the Store is not needed
	// maxStoreCalls is how many calls of the Store may run at a time. More run only
	// if they do not return in time.
	maxStoreCalls = 8
)

// storeError is a failure of the Store. It says nothing about the service.
type storeError struct {
	doing string
	text  string // of a foreign error, whose methods may not be called again
	cause error  // a *guard.Crash or a guard.Overdue; nil otherwise
}

func (e *storeError) Error() string { return "apivideo: " + e.doing + " the store: " + e.text }

func (e *storeError) Unwrap() error { return e.cause }

// storeErrorOf makes a *storeError of an error of guard.Call.
func storeErrorOf(doing string, err error) error {
	if _, ok := err.(*storeError); ok || err == nil {
		return err
	}
	e := &storeError{doing: doing, text: err.Error()}
	switch err.(type) {
	case *guard.Crash, guard.Overdue:
		e.cause = err
	}
	return e
}

var errStoreHangs = errors.New("earlier calls have not returned")

// callStore starts a call of the Store. It fails at once if too many calls have
// not returned.
func callStore[T any](c *Cache, f func() (T, error)) <-chan guard.Result[T] {
	select {
	case c.storeCalls <- struct{}{}:
		return guard.Go(func() (T, error) {
			defer func() { <-c.storeCalls }()
			return f()
		})
	default:
		full := make(chan guard.Result[T], 1)
		full <- guard.Result[T]{Err: errStoreHangs}
		return full
	}
}

// obtainShared gets the token of a flight. If another process has stored a new
// one, it takes that. If not, it renews under the Store's lock. If the Store
// fails, it renews without it, or lets the flight fail if there is time to retry.
func (c *Cache) obtainShared(f *flight) outcome {
	c.tell(f, "the store")
	seen, err := c.look(f)
	if err == nil {
		var o outcome
		if o, err = c.share(f, seen); err == nil {
			return o
		}
	}
	if f.ctx.Err() != nil {
		return outcome{}
	}
	if o, postponed := c.withoutStore(f, err); postponed {
		return o
	}
	return c.issued(f, seen.token)
}

// share is obtainShared for a Store that can be read. The error is a *storeError.
func (c *Cache) share(f *flight, seen content) (outcome, error) {
	if o, settled := c.settled(f, seen, content{}); settled && !c.isForced(f) {
		return o, nil
	}
	return c.renewShared(f, seen) // Renew needs a token from after its call
}

func (c *Cache) isForced(f *flight) (forced bool) {
	c.do(func(s *state) { forced = s.of(f).forced })
	return forced
}

// settled is settle for a Store that has just been read.
func (c *Cache) settled(f *flight, now, seen content) (o outcome, settled bool) {
	s := c.lock()
	defer c.unlock(s)
	if o, settled = s.settle(f, now, seen); settled {
		s.storeWorks()
	}
	return o, settled
}

// withoutStore notes a failure of the Store. It reports whether to retry later
// instead of renewing without the Store: nobody waits for the flight, and the
// current token is not yet in the last part of the renewal window.
func (c *Cache) withoutStore(f *flight, err error) (o outcome, postponed bool) {
	s := c.lock()
	defer c.unlock(s)
	s.storeFails(err)
	cur := s.current()
	if s.of(f).waiters > 0 || cur == nil ||
		cur.usableUntil.left(s.now) <= cur.usableUntil.t.Sub(cur.renewAt.t)/lastPart {
		return outcome{}, false
	}
	p := s.fail(err, Explanation{Temporary: true})
	p.postponed = true
	return outcome{failure: p}, true
}

// look reads the Store. It returns after storeTime even if the Store ignores its
// context.
func (c *Cache) look(f *flight) (content, error) {
	ctx, cancel := guard.WithPatience(f.ctx, storeTime)
	defer cancel()
	a := f.account // which may change before a slow Load returns
	reading := callStore(c, func() (content, error) {
		sealed, err := c.store.Load(ctx, a.Name)
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx) // it says more than the Store's error
		}
		if err != nil {
			return content{}, storeErrorOf("reading", err)
		}
		return c.open(a, bytes.Clone(sealed), time.Now()), nil
	})
	select {
	case r := <-reading:
		return r.Value, storeErrorOf("reading", r.Err)
	case <-ctx.Done():
		return content{}, storeErrorOf("reading", context.Cause(ctx))
	}
}

// settle reports whether the content of the Store ends the flight: with a token
// to adopt, or with a failure whose wait has not passed. seen is the content when
// the flight started.
func (s *state) settle(f *flight, now, seen content) (o outcome, settled bool) {
	if t := now.token; s.adoptable(f, t, seen.token) {
		if t.replaces != "" { // another token may be from before the revocation
			t.trial = s.of(f).trial
		}
		return outcome{token: t}, true
	}
	if s.blocks(f, now.failure, seen.failure) {
		return outcome{failure: now.failure}, true
	}
	return outcome{}, false
}

// blocks reports whether p, a failure in the Store, ends a flight. It does until
// its wait has passed. One that the flight has seen before, or whose wait this
// process has kept, does not: the clock that it is from may be ahead.
func (s *state) blocks(f *flight, p, seen *failure) bool {
	switch {
	case p == nil || p.err == nil, p.same(seen), p.same(&s.failures.failure):
		return false
	case s.of(f).forced && p.at.Before(f.start):
		return false
	}
	return s.waitFor(p) > 0
}

// adoptable reports whether a flight can use a token of the Store. The token must
// be usable and not retired. It must not be the current one, nor expire before
// it. Renew needs one that was issued after its call by any clock.
func (s *state) adoptable(f *flight, t, seen *Token) bool {
	p := s.of(f)
	switch {
	case t == nil || t.usableUntil.passed(s.now) || s.retired.has(t.id):
		return false
	case p.forced && (t.Issued.Before(f.start) || t.Issued.After(s.now) || t.same(seen)):
		return false
	case p.refused != nil && !t.follows(p.refused, p.since):
		return false // it may have been revoked together with the refused one
	case t.same(s.cur) && t.Issued.Equal(s.cur.Issued):
		return false
	case s.cur == nil || s.cur.usableUntil.passed(s.now):
		return true
	}
	return !s.cur.outlives(t)
}
