package tokencache

import (
	"context"
	"errors"
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

// obtain gets the token of a flight. The API key may change during the flight: if
// the service refuses the key and there is another one, the flight uses that.
func (c *Cache) obtain(f *flight) (*Token, error) {
	if err := c.identify(f); err != nil {
		return nil, err
	}
	t, err := c.obtainFor(f)
	if err != nil && c.keyChanged(f, err) {
		return c.obtainFor(f)
	}
	return t, err
}

// keyChanged reports whether err is a refusal of the account of f, and another
// account has taken its place.
func (c *Cache) keyChanged(f *flight, err error) bool {
	_, unshared := err.(*storeError) // others may wrap foreign errors, whose methods are not called
	if unshared || f.ctx.Err() != nil || !c.explain(err).Refused {
		return false
	}
	refused := f.account
	if c.identify(f) != nil || f.account.Name == refused.Name {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	f.failure, f.before = failure{}, nil // they are of the refused account
	return true
}

// obtainFor gets a token of the account of a flight.
func (c *Cache) obtainFor(f *flight) (*Token, error) {
	if c.store == nil {
		return c.issue(f, nil)
	}
	return c.obtainShared(f)
}

// identify gets the account of a flight. If that fails, the flight uses the last
// account, if there is one.
func (c *Cache) identify(f *flight) error {
	c.tell(f, "the API key")
	limit, cancel := context.WithTimeoutCause(f.ctx, accountTime+grace, Overdue(accountTime))
	defer cancel()
	a, err := guard.Call(limit, func() (*Account, error) { return c.issuer.Account(f.ctx) })
	if err == nil && (a == nil || c.store != nil && a.Box == nil) {
		err = errNoAccount
	}
	var why Explanation
	if err != nil {
		why = c.explain(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err != nil && c.account == nil:
		return err
	case err != nil:
		f.account = c.account
		c.keyFails(err, why, time.Now())
	default:
		f.account = a
		c.useAccount(a)
	}
	return nil
}

// useAccount makes a the current account. If the API key has changed, it forgets
// earlier failures. c.mu is held.
func (c *Cache) useAccount(a *Account) {
	changed := c.account != nil && c.account.Name != a.Name
	c.account = a
	if changed {
		c.failures.forget(time.Now())
		c.log(slog.LevelInfo, MessageNewKey)
	}
}

// Errors of an Issuer that breaks its contract and returns neither result.
var (
	errNoToken   = errors.New("apivideo: there is neither a token nor an error")
	errNoAccount = errors.New("apivideo: there is neither a whole account nor an error")
)

// issue gets a token from the service. It replaces the current token, or the one
// from the Store (held, may be nil) if that expires later.
func (c *Cache) issue(f *flight, held *Token) (*Token, error) {
	c.mu.Lock()
	old := c.cur
	if held != nil && (old == nil || !old.outlives(held)) {
		old = held
	}
	before := f.before
	if before == nil && c.failures.why.Op != "" { // not if only the Store or the API key was missing
		before = c.failures.err
	}
	c.mu.Unlock()
	asked, refused := c.ask()
	start := time.Now()
	defer func() { f.issuing += time.Since(start) }()
	left := issueTime - f.issuing
	ctx, cancel := context.WithTimeoutCause(f.ctx, left, Overdue(issueTime))
	defer cancel()
	limit, stop := context.WithTimeoutCause(f.ctx, left+grace, Overdue(issueTime))
	defer stop()
	r := Request{
		Account: f.account,
		Old:     old,
		Failure: before,
		Retry:   func() bool { return before == nil && c.awaited(f) },
		Spent: func(refreshToken string) {
			c.mu.Lock()
			defer c.mu.Unlock()
			f.spent = refreshToken
		},
		Doing: func(op string) {
			c.tell(f, op)
			asked, refused = c.ask() // the attempt before brought no token
		},
	}
	t, err := guard.Call(limit, func() (*Token, error) { return c.issuer.Issue(ctx, r) })
	if err == nil && t == nil {
		err = errNoToken
	}
	if err != nil {
		return nil, err
	}
	t.Account, t.asked, t.refusedBefore = f.account, asked, refused
	return t, nil
}

// ask notes the start of an auth call. It returns its place in the order of
// refusals and auth calls, and the tokens that had been refused before it.
func (c *Cache) ask() (Mark, []fingerprint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events++
	return c.events, c.refusals.ids()
}
