package tokencache

import (
	"context"
	"errors"
	"hash/maphash"
	"slices"
	"time"
)

const (
	firstHold   = 1 * time.Second
	longestHold = 1 * time.Minute
	maxTokens   = 16 // a Store lags behind by a token or two
)

// ErrHeld reports that the API refuses every token, so that a new one would
// not help.
var ErrHeld = errors.New("apivideo: the API refuses new access tokens too")

// Replace returns the successor of a token that the API refused. It does not
// wait, and returns ErrHeld, while refusals are not to be believed.
func (c *Cache) Replace(ctx context.Context, refused *Token) (*Token, error) {
	for {
		now := time.Now()
		c.mu.Lock()
		if !refused.same(c.cur) {
			c.mu.Unlock()
			return c.Get(ctx)
		}
		if c.flight == nil && c.cur.held(now) {
			c.mu.Unlock()
			return nil, ErrHeld
		}
		f := c.join(ctx, now)
		c.refuse(f)
		c.mu.Unlock()
		if t, err := c.wait(ctx, f); err != errAborted {
			return t, err
		}
	}
}

// ReplaceBehind starts what Replace waits for.
func (c *Cache) ReplaceBehind(refused *Token) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if !refused.same(c.cur) || c.flight == nil && c.cur.held(now) {
		return
	}
	// Its caller has nothing to wait for, but will need the token when it sends
	// the request anew: the flight counts as one that somebody waits for.
	c.refuse(c.join(context.Background(), now))
}

// refuse notes that f is to replace the current token, which the API refused.
// c.mu is held.
func (c *Cache) refuse(f *flight) {
	if f == c.flight {
		f.refused = c.cur
		c.ready.Store(nil) // requests wait for the new one
	}
}

// replacing reports whether cur was refused and its successor is on the way.
// c.mu is held.
func (c *Cache) replacing() bool {
	return c.flight != nil && c.flight.refused != nil && c.flight.refused.same(c.cur)
}

// held reports whether a refusal of t by the API is not to be believed yet:
// t replaced a refused token itself, and the API has not accepted it.
func (t *Token) held(now time.Time) bool {
	return !t.accepted.Load() && now.Before(t.obtained.Add(t.hold))
}

// nextHold is the hold of the token that replaces t after a refusal.
func (t *Token) nextHold() time.Duration {
	if t.hold == 0 || t.accepted.Load() {
		return firstHold
	}
	return min(2*t.hold, longestHold)
}

// tokenSet has the latest of some access tokens, as hashes.
type tokenSet []uint64

var setSeed = maphash.MakeSeed()

func hashOf(t *Token) uint64 { return maphash.String(setSeed, t.AccessToken) }

func (s tokenSet) has(t *Token) bool { return len(s) > 0 && slices.Contains(s, hashOf(t)) }

func (s *tokenSet) add(t *Token) {
	s.remove(t)
	*s = append(*s, hashOf(t))
	if len(*s) > maxTokens {
		*s = slices.Delete(*s, 0, 1)
	}
}

func (s *tokenSet) remove(t *Token) {
	hash := hashOf(t)
	*s = slices.DeleteFunc(*s, func(h uint64) bool { return h == hash })
}
