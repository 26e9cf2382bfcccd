package tokencache

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/apivideo/api.video-go-oauth2/internal/guard/limit"
)

const (
	// issueTime is the limit for all auth calls of one flight together.
	issueTime = 30 * time.Second
	// grace is the extra time for an Issuer to return its error after a limit.
	grace = time.Second
	// accountTime is the limit for an Issuer to get the API key.
	accountTime = 5 * time.Second
)

// Errors of an Issuer that breaks its contract and returns neither result.
var (
	errNoToken   = errors.New("apivideo: there is neither a token nor an error")
	errNoAccount = errors.New("apivideo: there is neither a whole account nor an error")
)

// obtain gets the token of a flight. The API key may change during the flight: if
// the service refuses the key and there is another one, the flight uses that.
func (c *Cache) obtain(f *flight) outcome {
	if err := c.identify(f); err != nil {
		return c.failed(f, err)
	}
	o := c.obtainFor(f)
	if c.keyChanged(f, o) {
		return c.obtainFor(f)
	}
	return o
}

// keyChanged reports whether the service refused the account of f, and another
// account has taken its place.
func (c *Cache) keyChanged(f *flight, o outcome) bool {
	if o.failure == nil || !o.failure.why.Refused {
		return false
	}
	refused := f.account
	if c.identify(f) != nil || f.account.Name == refused.Name {
		return false
	}
	c.do(func(s *state) {
		s.failures.keep(refused.Name, memory{failure: *o.failure, until: s.untilAfter(o.failure)})
	})
	return true
}

// obtainFor gets a token of the account of a flight.
func (c *Cache) obtainFor(f *flight) outcome {
	var o outcome
	c.do(func(s *state) { o.failure = s.failures.current(s.now) })
	switch {
	case o.failure != nil:
		return o
	case c.store == nil:
		return c.issued(f, nil)
	}
	return c.obtainShared(f)
}

// identify gets the account of a flight. If that fails, the flight uses the last
// account, if there is one.
func (c *Cache) identify(f *flight) error {
	c.tell(f, "the API key")
	ctx, cancel := limit.WithGrace(f.ctx, accountTime, grace)
	defer cancel()
	a, err := guard.Call(ctx, func() (*Account, error) { return c.issuer.Account(f.ctx) })
	if err == nil && (a == nil || c.store != nil && a.Box == nil) {
		err = errNoAccount
	}
	var why Explanation
	if err != nil {
		why = c.explain(err)
	}
	s := c.lock()
	defer c.unlock(s)
	f.account, err = s.useAccount(f, a, err, why)
	return err
}

// useAccount makes a the current account, or keeps the last one if there was an
// error.
func (s *state) useAccount(f *flight, a *Account, err error, why Explanation) (*Account, error) {
	before := s.account
	switch {
	case err == nil:
		s.account = a
		if before != nil && before.Name != a.Name {
			s.failures.change(before.Name, a.Name, s.now)
			s.of(f).before = nil // it is of the other account
			s.logLine(slog.LevelInfo, MessageNewKey)
		}
	case f.ctx.Err() != nil || before == nil:
		return nil, err
	default:
		s.keyFails(err, why)
	}
	return s.account, nil
}

// issued is the outcome of issue.
func (c *Cache) issued(f *flight, stored *Token) outcome {
	t, err := c.issue(f, stored)
	if err != nil {
		return c.failed(f, err)
	}
	return outcome{token: t}
}

// issue gets a token from the service. It replaces the current token, or the one
// from the Store (may be nil) if that expires later.
func (c *Cache) issue(f *flight, stored *Token) (*Token, error) {
	start := time.Now()
	defer func() { f.issuing += time.Since(start) }()
	rest := issueTime - f.issuing
	ctx, cancel := limit.With(f.ctx, rest)
	defer cancel()
	late, stop := limit.WithGrace(f.ctx, rest, grace)
	defer stop()
	r, reason := c.request(f, stored)
	t, err := guard.Call(late, func() (*Token, error) { return c.issuer.Issue(ctx, r) })
	switch overdue, ok := err.(limit.Overdue); {
	case ok:
		return nil, fmt.Errorf("apivideo: getting an access token: %w", overdue)
	case err != nil:
		return nil, err
	case t == nil:
		return nil, errNoToken
	}
	c.do(func(*state) { t.Account, t.replaces, t.trial = f.account, reason.replaces, reason.trial })
	return t, nil
}

// because says which 401 was known when an auth call began, if any.
type because struct {
	replaces fingerprint
	trial    trial
}

// request makes the argument of Issuer.Issue. reason is that of the latest auth
// call; it is guarded by the lock.
func (c *Cache) request(f *flight, stored *Token) (r Request, reason *because) {
	reason = new(because)
	c.do(func(s *state) { r.Old, r.Failure = s.before(f, stored) })
	r.Account = f.account
	r.Retry = func() (again bool) {
		c.do(func(s *state) { again = r.Failure == nil && s.of(f).waiters > 0 })
		return again
	}
	r.Spent = func(refreshToken string) { c.do(func(s *state) { s.of(f).spent = refreshToken }) }
	r.Doing = func(op string) { c.do(func(s *state) { *reason = s.noteCall(f, op) }) }
	return r, reason
}

// before returns the token that f replaces, and the failure before it, if the
// service has been failing. stored is the token in the Store, or nil.
func (s *state) before(f *flight, stored *Token) (old *Token, failure error) {
	old, failure = s.cur, s.of(f).before
	if stored != nil && (old == nil || !old.outlives(stored)) {
		old = stored
	}
	if failure == nil && s.failures.why.Op != "" { // not if only the Store or the API key was missing
		failure = s.failures.err
	}
	return old, failure
}

// noteCall notes that f makes an auth call.
func (s *state) noteCall(f *flight, op string) because {
	p := s.of(f)
	p.doing = op
	if p.refused == nil {
		return because{}
	}
	return because{p.refused.id, p.trial}
}
