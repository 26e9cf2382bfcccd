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
	maxTokens   = 16 // old tokens remembered; a Store is late by one or two
)

// ErrHeld reports that the API refuses new tokens too: another renewal would not
// help now.
var ErrHeld = errors.New("apivideo: the API refuses new access tokens too")

// Mark is a position in the order of refusals and auth calls of one Cache. The
// zero Mark is before all of them.
type Mark uint64

// Refuse notes that the API has just refused t, with a 401. It returns the
// position of this refusal.
func (c *Cache) Refuse(t *Token) Mark {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events++
	c.refusals.add(t, c.events)
	if t.same(c.cur) {
		c.counters.refusals++
		if !t.reported {
			t.reported = true
			c.log(slog.LevelInfo, MessageRefused, slog.Time("expiry", t.Expiry))
		}
	}
	return c.events
}

// Replace returns a token to use instead of one that the API refused. It must
// have been requested after since: a token that was requested earlier may have
// been revoked together with the refused one. With the zero Mark, any other token
// will do. While refusals are held off, Replace returns ErrHeld at once.
func (c *Cache) Replace(ctx context.Context, refused *Token, since Mark) (*Token, error) {
	w := newWaiter(ctx)
	for {
		now := time.Now()
		c.mu.Lock()
		if t := c.current(now); t != nil && !t.same(refused) && t.follows(since) && !c.replacing() {
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
		if err != errAborted && (err != nil || t.follows(since)) {
			return t, w.errorOf(err)
		}
	}
}

// ReplaceBehind starts the renewal that Replace would wait for, and returns.
func (c *Cache) ReplaceBehind(refused *Token) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !refused.same(c.cur) || c.heldOff(refused, now) {
		return
	}
	// The caller cannot replay this request, but will probably send it again: the
	// flight counts as one with a waiter.
	if f, err := c.join(&waiter{}, now, reasonRefused); err == nil {
		c.refuse(f, refused, 0)
	}
}

// refuse makes f replace a token that the API refused. The new one must be
// requested after since. c.mu is held.
func (c *Cache) refuse(f *flight, refused *Token, since Mark) {
	f.since = max(f.since, since)
	if refused.same(c.cur) {
		f.refused = c.cur
		c.ready.Store(nil) // requests wait for the new one
	}
}

// replacing reports whether a flight is replacing cur because the API refused
// it. c.mu is held.
func (c *Cache) replacing() bool {
	return c.flight != nil && c.flight.refused != nil && c.flight.refused.same(c.cur)
}

// heldOff reports whether a refusal of the current token must not start a renewal
// yet: the token itself replaced a refused one, and the API has not accepted it
// since. The API probably refuses all tokens. c.mu is held.
func (c *Cache) heldOff(refused *Token, now time.Time) bool {
	return c.flight == nil && refused.same(c.cur) && !c.cur.accepted.Load() && !c.cur.heldUntil().passed(now)
}

// heldUntil returns when a refusal of t may start a renewal, even if the API has
// never accepted t.
func (t *Token) heldUntil() moment { return momentOf(t.obtained.Add(t.hold)) }

// holdOf returns the hold of t, which replaces a token that the API refused. It
// doubles while the API accepts none of the new tokens. c.mu is held.
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
		return hold // no hold for the first token from another process
	case chained:
		return refused.hold
	}
	return 0 // it was requested before the refusal
}

// fingerprint identifies an access token in a Store and in memory. It cannot be
// used as a token.
type fingerprint string

func fingerprintOf(accessToken string) fingerprint {
	sum := sha256.Sum256([]byte(accessToken))
	return fingerprint(hex.EncodeToString(sum[:8]))
}

// tokenSet is a set of access tokens. It keeps the latest maxTokens.
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

// refusals are the latest tokens that the API refused, with the mark of the first
// refusal of each.
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

// latest returns the latest mark among the tokens that are in both r and ids.
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
