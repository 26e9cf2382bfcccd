package tokencache

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
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
	s := c.lock()
	s.remember(o.failure, f.start)
	c.unlock(s)
	return c.identify(f) == nil && f.account.Name != refused.Name
}

// obtainFor gets a token of the account of a flight.
func (c *Cache) obtainFor(f *flight) outcome {
	switch p := c.remembered(f); {
	case p != nil:
		return outcome{failure: p}
	case c.store == nil:
		return c.issued(f, nil)
	}
	return c.obtainShared(f)
}

// remembered returns the failure with the API key of f that is not over, or nil.
func (c *Cache) remembered(f *flight) *failure {
	s := c.lock()
	defer c.unlock(s)
	if !s.failures.block(s.now) {
		return nil
	}
	p := s.failures.failure
	return &p
}

// identify gets the account of a flight. If that fails, the flight uses the last
// account, if there is one.
func (c *Cache) identify(f *flight) error {
	c.tell(f, "the API key")
	limit, cancel := guard.WithGrace(f.ctx, accountTime, grace)
	defer cancel()
	a, err := guard.Call(limit, func() (*Account, error) { return c.issuer.Account(f.ctx) })
	if err == nil && (a == nil || c.store != nil && a.Box == nil) {
		err = errNoAccount
	}
	var why Explanation
	if err != nil {
		why = c.explain(err)
	}
	s := c.lock()
	defer c.unlock(s)
	switch {
	case err == nil:
		s.useAccount(a)
	case f.ctx.Err() != nil || s.account == nil:
		return err
	default:
		s.keyFails(err, why)
	}
	f.account = s.account
	return nil
}

// useAccount makes a the current account.
func (s *state) useAccount(a *Account) {
	before := s.account
	s.account = a
	if before != nil && before.Name != a.Name {
		s.failures.change(before.Name, a.Name, s.now)
		s.progress.before = nil // it is of the other account
		s.logLine(slog.LevelInfo, MessageNewKey)
	}
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
	left := issueTime - f.issuing
	ctx, cancel := guard.WithLimit(f.ctx, left)
	defer cancel()
	limit, stop := guard.WithGrace(f.ctx, left, grace)
	defer stop()
	r, reason := c.request(f, stored)
	t, err := guard.Call(limit, func() (*Token, error) { return c.issuer.Issue(ctx, r) })
	switch overdue, ok := err.(guard.Overdue); {
	case ok:
		return nil, fmt.Errorf("apivideo: getting an access token: %w", overdue)
	case err != nil:
		return nil, err
	case t == nil:
		return nil, errNoToken
	}
	s := c.lock()
	defer c.unlock(s)
	t.Account, t.replaces, t.trial = f.account, reason.replaces, reason.trial
	return t, nil
}

// because says which 401 was known when an auth call began, if any.
type because struct {
	replaces fingerprint
	trial    trial
}

// request makes the argument of Issuer.Issue. reason is that of the latest auth
// call.
func (c *Cache) request(f *flight, stored *Token) (r Request, reason *because) {
	s := c.lock()
	defer c.unlock(s)
	old := s.cur
	if stored != nil && (old == nil || !old.outlives(stored)) {
		old = stored
	}
	before := s.of(f).before
	if before == nil && s.failures.why.Op != "" { // not if only the Store or the API key was missing
		before = s.failures.err
	}
	reason = new(because)
	return Request{
		Account: f.account,
		Old:     old,
		Failure: before,
		Retry:   func() bool { return before == nil && c.awaited(f) },
		Spent: func(refreshToken string) {
			s := c.lock()
			defer c.unlock(s)
			s.of(f).spent = refreshToken
		},
		Doing: func(op string) {
			s := c.lock()
			defer c.unlock(s)
			p := s.of(f)
			p.doing = op
			if p.refused != nil {
				*reason = because{p.refused.id, p.trial}
			}
		},
	}, reason
}
