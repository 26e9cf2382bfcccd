package tokencache

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard/limit"
)

const (
	// holdTime is how long after a 401 other requests wait for the new token.
	holdTime = 2 * time.Second
	// A renewal because of a 401 fails to help if the API refuses the new token
	// too. After this many in a row the next wait, first for firstPause.
	freeRenewals = 2
	firstPause   = 1 * time.Second
	longestPause = 1 * time.Minute
	// quietTime without a 401 ends the pauses.
	quietTime = 10 * time.Minute
)

// ErrPaused reports that the API refuses new tokens too: another renewal would not
// help now.
var ErrPaused = errors.New("apivideo: the API refuses new access tokens too")

// refusals is what is known of 401s.
type refusals struct {
	since time.Time // the first since the API accepted a token; zero if there was none
	at    time.Time // the first to the current token since the API accepted it; zero if there was none
	last  time.Time // the latest, to any token

	unhelpful int          // renewals because of a 401 that did not help, in a row
	until     limit.Moment // no renewal because of a 401 starts earlier
}

// refused reports whether the API refused the current token and has not accepted
// it since.
func (s *state) refused() bool { return !s.refusals.at.IsZero() }

// paused reports whether a 401 must not start a renewal now. Without a usable
// token, any request starts one.
func (s *state) paused() bool {
	return s.flight == nil && s.current() != nil && !s.refusals.until.Passed(s.now)
}

// holding reports whether requests wait for the replacement of the current token.
func (s *state) holding() bool { return s.flight != nil && s.progress.hold != nil }

// Refuse notes that the API refused t, with a 401 that arrived at that time.
func (c *Cache) Refuse(t *Token, at time.Time) {
	c.do(func(s *state) { s.refuse(t, at) })
}

func (s *state) refuse(t *Token, at time.Time) {
	r := &s.refusals
	if limit.Elapsed(r.last, at) >= quietTime {
		r.unhelpful, r.until, t.trial = 0, limit.Moment{}, noTrial
	}
	r.last = at
	if t.trial != noTrial {
		t.trial = noTrial
		if requested := t.Expiry.Add(-t.Lifetime); r.pause(requested) {
			s.endHold()
		}
	}
	if !t.same(s.cur) {
		return
	}
	s.counters.refusals++
	if s.retired.has(t) {
		return
	}
	if r.at.IsZero() {
		r.at = at
		s.cur.watched.Store(true)
	}
	if r.since.IsZero() {
		r.since = at
	}
	if !s.cur.reported {
		s.cur.reported = true
		s.logLine(slog.LevelInfo, MessageRefused, slog.Time("expiry", t.Expiry))
	}
}

// pause counts a renewal that did not help. It reports whether a pause follows it.
func (r *refusals) pause(renewal time.Time) bool {
	r.unhelpful++
	n := r.unhelpful - freeRenewals
	if n >= 0 {
		r.until = limit.MomentOf(renewal.Add(min(firstPause<<min(n, 8), longestPause)))
	}
	return n >= 0
}

// renewed notes a new current token.
func (r *refusals) renewed(t *Token) {
	r.at = time.Time{}
	t.watched.Store(!r.since.IsZero() || t.trial == anyTrial)
}

// Accept notes that the API accepted t, for a request that was sent after that
// time. replayed says that the API refused the request before, with another token.
func (c *Cache) Accept(t *Token, sent time.Time, replayed bool) {
	if !replayed && !t.watched.Load() { // nearly always
		return
	}
	c.do(func(s *state) { s.accept(t, sent, replayed) })
}

func (s *state) accept(t *Token, sent time.Time, replayed bool) {
	r := &s.refusals
	if replayed {
		r.unhelpful, r.until = 0, limit.Moment{}
	}
	if replayed || t.trial == anyTrial {
		t.trial = noTrial
	}
	if t.same(s.cur) && sent.After(r.at) {
		r.since, r.at = time.Time{}, time.Time{}
		s.cur.watched.Store(false)
		s.endHold()
	}
}

// Replace returns a token to use instead of one that the API refused. Without
// since, any other token will do. With since, it is one that was requested after
// that time: an earlier one may have been revoked together with the refused one.
// During a pause, Replace returns ErrPaused at once.
func (c *Cache) Replace(ctx context.Context, refused *Token, since time.Time) (*Token, error) {
	return c.await(ctx, demand{
		claim: func(s *state, w *waiter) (*Token, *flight, error) { return s.replace(w, refused, since) },
		suits: func(t *Token) bool { return t.follows(refused, since) },
	})
}

func (s *state) replace(w *waiter, refused *Token, since time.Time) (*Token, *flight, error) {
	if t := s.current(); t != nil && !t.same(refused) && t.follows(refused, since) {
		if !s.holding() {
			t.handOut()
			return t, nil, nil
		}
		w.over = s.progress.hold
	}
	if s.paused() {
		return nil, nil, ErrPaused
	}
	f, err := s.join(w, reasonRefused)
	if err == nil && w.over == nil {
		s.replaceBy(f, refused, since)
	}
	return nil, f, err
}

// ReplaceBehind starts the renewal that Replace would wait for, and returns.
func (c *Cache) ReplaceBehind(refused *Token) {
	c.do(func(s *state) { s.replaceBehind(refused) })
}

func (s *state) replaceBehind(refused *Token) {
	if !refused.same(s.cur) || s.paused() {
		return
	}
	// The caller cannot replay this request, but will probably send it again: the
	// flight counts as one with a waiter.
	if f, err := s.join(&waiter{}, reasonRefused); err == nil {
		s.replaceBy(f, refused, time.Time{})
	}
}

// replaceBy makes f replace a token that the API refused. Other requests wait for
// the new token, unless they would probably wait in vain.
func (s *state) replaceBy(f *flight, refused *Token, since time.Time) {
	p, own := s.of(f), refused.same(s.cur)
	p.trial = replayTrial
	p.refused = cmp.Or(p.refused, refused)
	if since.After(p.since) {
		p.since = since
	}
	rest := holdTime - s.now.Sub(s.refusals.last)
	if !own || !s.refused() || rest <= 0 || s.failures.last != nil && !s.failures.postponed || s.refusals.unhelpful >= freeRenewals || p.holdTimer != nil {
		return
	}
	p.hold = make(chan struct{})
	p.holdTimer = s.cache.after(rest, func(s *state) {
		if s.flight == f {
			s.endHold()
		}
	})
}

// endHold lets the requests that wait use the current token.
func (s *state) endHold() {
	if s.holding() {
		close(s.progress.hold)
		s.progress.hold = nil
		s.progress.holdTimer.Stop()
	}
}
