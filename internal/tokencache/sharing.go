package tokencache

import (
	"bytes"
	"context"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/apivideo/api.video-go-oauth2/internal/guard/limit"
)

const (
	storeTime = 1 * time.Second // for reading from the Store, and for writing to it
	lastPart  = 8               // in the last eighth of the renewal window, the Store is not needed
)

// storeError is a failure of the Store. It says nothing about the service.
type storeError struct {
	doing string
	text  string // of a foreign error, whose methods may not be called again
	cause error  // a *guard.Crash or a limit.Overdue; nil otherwise
}

func (e *storeError) Error() string { return "apivideo: " + e.doing + " the store: " + e.text }

func (e *storeError) Unwrap() error { return e.cause }

// storeErrorOf makes a *storeError of an error. The methods of a foreign one may
// crash: callStore calls it first.
func storeErrorOf(doing string, err error) error {
	if _, ok := err.(*storeError); ok || err == nil {
		return err
	}
	e := &storeError{doing: doing, text: err.Error()}
	if crash := guard.CrashIn(err); crash != nil {
		e.cause = crash
	} else if o, ok := err.(limit.Overdue); ok {
		e.cause = o
	}
	return e
}

// callStore starts a call of the Store. leave must be called when nobody waits for
// it any more. The call fails at once if too many hang.
func callStore[T any](c *Cache, doing string, f func() (T, error)) (results <-chan guard.Result[T], leave func()) {
	results, leave, ok := guard.Start(&c.hung, func() (T, error) {
		v, err := f()
		return v, storeErrorOf(doing, err)
	})
	if !ok {
		full := make(chan guard.Result[T], 1)
		full <- guard.Result[T]{Err: guard.ErrFull}
		return full, func() {}
	}
	return results, leave
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
	if p := c.postponed(f, err); p != nil {
		return outcome{failure: p}
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

// postponed notes a failure of the Store. It returns nil if the flight should renew
// without the Store. It may wait for a later one if nobody waits for it, the API has
// not refused the current token, and that is not yet in the last part of the renewal
// window.
func (c *Cache) postponed(f *flight, err error) (p *failure) {
	c.do(func(s *state) {
		t := s.current()
		if s.of(f).waiters > 0 || t == nil || s.refused() || t.usableUntil.Remaining(s.now) <= t.usableUntil.T.Sub(t.renewAt.T)/lastPart {
			s.storeFails(err, nowAlone)
			return
		}
		s.storeFails(err, nowLater)
		p = s.fail(err, Explanation{Temporary: true})
		p.postponed = true
	})
	return p
}

// look reads the Store. It returns after storeTime even if the Store ignores its
// context.
func (c *Cache) look(f *flight) (content, error) {
	ctx, cancel := limit.WithPatience(f.ctx, storeTime)
	defer cancel()
	a := f.account // which may change before a slow Load returns
	reading, leave := callStore(c, "reading", func() (content, error) {
		sealed, err := c.store.Load(ctx, a.Name)
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx) // it says more than the Store's error
		}
		if err != nil {
			return content{}, err
		}
		return c.open(a, bytes.Clone(sealed), time.Now()), nil
	})
	defer leave()
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
// process has kept, does not: it may come from a fast clock.
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
	case t == nil || t.usableUntil.Passed(s.now) || s.retired.has(t):
		return false
	case p.forced && (t.Issued.Before(f.start) || t.Issued.After(s.now) || t.same(seen)):
		return false
	case p.refused != nil && !t.follows(p.refused, p.since):
		return false // it may have been revoked together with the refused one
	case t.same(s.cur) && t.Issued.Equal(s.cur.Issued):
		return false
	case s.cur == nil || s.cur.usableUntil.Passed(s.now):
		return true
	}
	return !s.cur.outlives(t)
}
