package tokencache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
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

// Mark is a place in the order of refusals and auth calls of one Cache. The
// zero Mark is before all of them.
type Mark uint64

// Refuse notes that the API refused t just now, with a 401.
func (c *Cache) Refuse(t *Token) Mark {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events++
	c.refusals.add(t, c.events)
	if t.same(c.cur) {
		c.stats.Refusals++
		if !t.reported {
			t.reported = true
			c.log(slog.LevelInfo, MessageRefused, slog.Time("expiry", t.Expiry))
		}
	}
	return c.events
}

// Replace returns a token other than one that the API refused, asked for after
// since. The zero Mark takes whatever is there first: a token that was on its
// way when the refused one was revoked may have been revoked with it. Replace
// does not wait, and returns ErrHeld, while refusals are not to be believed.
func (c *Cache) Replace(ctx context.Context, refused *Token, since Mark) (*Token, error) {
	w := newWaiter(ctx)
	for {
		now := time.Now()
		c.mu.Lock()
		if t := c.current(now); t != nil && !t.same(refused) && t.asked >= since && !c.replacing() {
			t.handOut()
			c.mu.Unlock()
			return t, nil
		}
		if c.heldOff(refused, now) {
			c.mu.Unlock()
			return nil, ErrHeld
		}
		f, err := c.join(w, now, reasonRefused)
		if err == nil {
			c.refuse(f, refused, since)
		}
		c.mu.Unlock()
		if err != nil {
			return nil, w.errorOf(err)
		}
		t, err := c.wait(w, f)
		if err != errAborted && (err != nil || t.asked >= since) {
			return t, w.errorOf(err)
		}
	}
}

// ReplaceBehind starts what Replace waits for.
func (c *Cache) ReplaceBehind(refused *Token) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !refused.same(c.cur) || c.heldOff(refused, now) {
		return
	}
	// Its caller has nothing to wait for, but will need the token when it sends
	// the request anew: the flight counts as one that somebody waits for.
	if f, err := c.join(&waiter{}, now, reasonRefused); err == nil {
		c.refuse(f, refused, 0)
	}
}

// refuse notes that f is to replace a token that the API refused, with one
// that was asked for after since. c.mu is held.
func (c *Cache) refuse(f *flight, refused *Token, since Mark) {
	f.since = max(f.since, since)
	if refused.same(c.cur) {
		f.refused = c.cur
		c.ready.Store(nil) // requests wait for the new one
	}
}

// replacing reports whether cur was refused and its successor is on the way.
// c.mu is held.
func (c *Cache) replacing() bool {
	return c.flight != nil && c.flight.refused != nil && c.flight.refused.same(c.cur)
}

// heldOff reports whether a refusal is not to be believed yet: the current
// token replaced a refused one itself, and the API has not accepted it. c.mu is
// held.
func (c *Cache) heldOff(refused *Token, now time.Time) bool {
	return c.flight == nil && refused.same(c.cur) && !c.cur.accepted.Load() && !c.cur.heldUntil().passed(now)
}

// heldUntil is when a refusal of t is believed though no other answer met it.
func (t *Token) heldUntil() moment { return momentOf(t.obtained.Add(t.hold)) }

// holdOf is the hold of t, which replaces a token that the API refused. c.mu
// is held.
func (c *Cache) holdOf(t, refused *Token) time.Duration {
	hold := firstHold
	chained := refused.hold > 0 && !refused.accepted.Load()
	if chained {
		hold = min(2*refused.hold, longestHold)
	}
	switch {
	case t.asked > c.refusals.markOf(refused) && !t.shared:
		return hold
	case t.shared && chained:
		return hold // what another process got is worth a first try
	case chained:
		return refused.hold
	}
	return 0 // it was on its way before the refusal
}

// fingerprint names an access token in a Store and in memory, without being of
// use in its place.
type fingerprint string

func fingerprintOf(accessToken string) fingerprint {
	sum := sha256.Sum256([]byte(accessToken))
	return fingerprint(hex.EncodeToString(sum[:8]))
}

// tokenSet has the latest of some access tokens.
type tokenSet []fingerprint

func (s tokenSet) has(id fingerprint) bool { return slices.Contains(s, id) }

func (s *tokenSet) add(id fingerprint) {
	s.remove(id)
	*s = append(*s, id)
	if len(*s) > maxTokens {
		*s = slices.Delete(*s, 0, 1)
	}
}

func (s *tokenSet) remove(id fingerprint) {
	*s = slices.DeleteFunc(*s, func(other fingerprint) bool { return other == id })
}

// refusals are the latest tokens that the API refused, and when it first did.
type refusals []refusal

type refusal struct {
	id fingerprint
	at Mark
}

func (r *refusals) add(t *Token, at Mark) {
	if r.markOf(t) > 0 {
		return
	}
	*r = append(*r, refusal{t.id, at})
	if len(*r) > maxTokens {
		*r = slices.Delete(*r, 0, 1)
	}
}

func (r refusals) markOf(t *Token) Mark { return r.latest([]fingerprint{t.id}) }

// latest is the latest mark of the tokens that both r and ids have.
func (r refusals) latest(ids []fingerprint) (at Mark) {
	for _, refusal := range r {
		if slices.Contains(ids, refusal.id) {
			at = max(at, refusal.at)
		}
	}
	return at
}

func (r refusals) ids() []fingerprint {
	ids := make([]fingerprint, len(r))
	for i, refusal := range r {
		ids[i] = refusal.id
	}
	return ids
}
