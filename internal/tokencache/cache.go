// Package tokencache keeps one account's access token ready. It renews the
// token, one renewal at a time, remembers failures, and shares the token over
// a Store. It gets tokens through an [Issuer] and knows nothing of HTTP.
package tokencache

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/seal"
)

// Issuer gets tokens from the service.
type Issuer interface {
	// Issue returns a successor of old, nil if there is none. awaited reports
	// whether somebody waits for it: if nobody does, a later renewal is better
	// than a further attempt.
	Issue(ctx context.Context, old *Token, awaited func() bool) (*Token, error)

	// Retry classifies an error of Issue: whether asking again may help, and how
	// long the service asked to wait, 0 if it did not.
	Retry(err error) (temporary bool, wait time.Duration)
}

// Store is where processes share a token. See apivideo.Store.
type Store interface {
	Load(ctx context.Context, key string) ([]byte, error)
	Update(ctx context.Context, key string, fn func(ctx context.Context, old []byte) ([]byte, error)) error
}

// Cache keeps the current token and has it renewed. It is safe for concurrent
// use.
type Cache struct {
	ctx    context.Context // of the construction: values, and an end to renewal ahead of expiry
	issuer Issuer
	store  Store     // nil: the token stays in this process
	box    *seal.Box // nil without a Store
	logger *slog.Logger

	// ready is cur, or nil if requests must take the lock: cur was refused or
	// invalidated. Written with mu held.
	ready atomic.Pointer[Token]

	// mu is held for no I/O and no callback.
	mu       sync.Mutex
	cur      *Token      // the latest token, usable or not; nil before the first
	retired  tokenSet    // tokens not to be used again, cur perhaps among them
	flight   *flight     // the renewal under way, if any
	failures failures    // since the last success
	timer    *time.Timer // for the next renewal ahead of expiry
}

// New returns a Cache. The values of ctx go with every call of the Issuer and
// the Store. When ctx ends, there is no renewal ahead of expiry any more. A nil
// Store keeps the token in this process; a nil Logger is silent.
func New(ctx context.Context, i Issuer, s Store, box *seal.Box, l *slog.Logger) *Cache {
	return &Cache{ctx: ctx, issuer: i, store: s, box: box, logger: l}
}

// Get returns the current token, or waits for one. ctx bounds the wait.
func (c *Cache) Get(ctx context.Context) (*Token, error) {
	now := time.Now()
	// The path of nearly every request: no lock, no allocation.
	if t := c.ready.Load(); t != nil && !t.renewAt.passed(now) {
		t.handOut()
		return t, nil
	}
	for {
		c.mu.Lock()
		if t := c.serve(now); t != nil {
			c.mu.Unlock()
			return t, nil
		}
		f := c.join(ctx, now)
		c.mu.Unlock()
		t, err := c.wait(ctx, f)
		now = time.Now()
		switch {
		case err == errAborted:
			continue
		case err != nil && ctx.Err() == nil:
			// The token that was to be replaced may serve on.
			c.mu.Lock()
			defer c.mu.Unlock()
			if t := c.serve(now); t != nil {
				return t, nil
			}
		}
		return t, err
	}
}

// Renew returns a new token, whatever the current one is.
func (c *Cache) Renew(ctx context.Context) (*Token, error) {
	for {
		c.mu.Lock()
		f := c.join(ctx, time.Now())
		f.forced = true
		c.mu.Unlock()
		if t, err := c.wait(ctx, f); err != errAborted {
			return t, err
		}
	}
}

// Invalidate takes the access token out of use if it is the current one.
func (c *Cache) Invalidate(accessToken string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cur != nil && c.cur.AccessToken == accessToken {
		c.retired.add(c.cur)
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
	if c.cur == nil || c.cur.usableUntil.passed(now) || c.retired.has(c.cur) {
		return nil
	}
	return c.cur
}
