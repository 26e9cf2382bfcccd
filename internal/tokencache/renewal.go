package tokencache

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/foreign"
)

const (
	// issueTime is how long the auth calls of one flight may take together.
	issueTime = 30 * time.Second
	// grace is what an Issuer gets beyond its limits to say why it failed.
	grace = time.Second
	// accountTime is how long an Issuer may take to learn the API key.
	accountTime = 5 * time.Second
)

// obtain gets the token of a flight.
func (c *Cache) obtain(f *flight) (*Token, error) {
	if err := c.identify(f); err != nil {
		return nil, err
	}
	if c.store == nil {
		return c.issue(f, nil)
	}
	return c.obtainShared(f)
}

// identify learns the account of a flight. If that fails, the flight uses the
// last one, if there is one.
func (c *Cache) identify(f *flight) error {
	c.tell(f, "the API key")
	limit, cancel := context.WithTimeoutCause(f.ctx, accountTime+grace, Overdue(accountTime))
	defer cancel()
	a, err := foreign.Call(limit, func() (*Account, error) { return c.issuer.Account(f.ctx) })
	if err == nil && a == nil {
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
		c.log(slog.LevelWarn, MessageKeyFails, slog.Any("error", err))
		c.logCrash(why.Crash)
	default:
		f.account = a
		c.useAccount(a)
	}
	return nil
}

// useAccount makes a the account of this and later flights. Another API key
// than the last one ends the memory of failures. c.mu is held.
func (c *Cache) useAccount(a *Account) {
	changed := c.account != nil && c.account.Name != a.Name
	c.account = a
	if changed {
		c.failures = failures{}
		c.log(slog.LevelInfo, MessageNewKey)
	}
}

// An Issuer that breaks its promise returns nothing at all.
var (
	errNoToken   = errors.New("apivideo: there is neither a token nor an error")
	errNoAccount = errors.New("apivideo: there is neither an account nor an error")
)

// issue gets a token from the service. It follows whichever is newer: the
// current token or the one that the Store held, if any.
func (c *Cache) issue(f *flight, held *Token) (*Token, error) {
	c.mu.Lock()
	old := c.cur
	if held != nil && (old == nil || !old.outlives(held)) {
		old = held
	}
	failing := c.failures.count > 0
	c.mu.Unlock()
	asked, refused := c.ask()
	ctx, cancel := context.WithTimeoutCause(f.ctx, issueTime, Overdue(issueTime))
	defer cancel()
	limit, stop := context.WithTimeoutCause(f.ctx, issueTime+grace, Overdue(issueTime))
	defer stop()
	r := Request{
		Account: f.account,
		Old:     old,
		Retry:   func() bool { return !failing && c.awaited(f) },
		Doing: func(op string) {
			c.tell(f, op)
			asked, refused = c.ask() // the attempt before brought no token
		},
	}
	t, err := foreign.Call(limit, func() (*Token, error) { return c.issuer.Issue(ctx, r) })
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
