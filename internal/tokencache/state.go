package tokencache

import (
	"log/slog"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard/limit"
)

// state is what the lock of a Cache guards. Its methods are the only code that
// uses its fields. None of them blocks, or calls code from outside this package.
type state struct {
	cache *Cache // for what needs no lock

	now time.Time // when the lock was acquired

	cur      *Token    // the latest token, usable or not; nil before the first
	retired  tokenSet  // tokens that must not be used again; may include cur
	refusals refusals  // what is known of 401s
	account  *Account  // of the latest flight; nil before the first
	flight   *flight   // the running flight; nil if there is none
	progress *progress // of that flight, or nil
	failures failures  // since the last success
	stalled  bool      // the latest flight was not tried, because the process did not run
	timer    *time.Timer
	timerAt  limit.Moment // when timer fires, or fired
	counters counters
	log      lines
}

// get returns the current token, or the flight that a request must wait for.
func (s *state) get(w *waiter) (*Token, *flight, error) {
	if s.holding() {
		w.over = s.progress.hold
	} else if t := s.hand(); t != nil {
		return t, nil, nil
	}
	f, err := s.join(w, reasonCold)
	return nil, f, err
}

// hand returns the current token for a request, or nil if it is not usable. It
// starts the background renewal if that is due.
func (s *state) hand() *Token {
	t := s.current()
	if t != nil {
		t.handOut()
		s.renewAhead()
	}
	return t
}

// current returns cur if it is usable, else nil.
func (s *state) current() *Token {
	if s.cur == nil || s.cur.usableUntil.Passed(s.now) || s.retired.has(s.cur) {
		return nil
	}
	return s.cur
}

func (s *state) renew(w *waiter) (*Token, *flight, error) {
	if s.failures.other && !w.ended {
		s.failures.until = limit.MomentOf(s.now)
	}
	f, err := s.join(w, reasonRenew)
	if err == nil {
		s.progress.forced = true
	}
	return nil, f, err
}

func (s *state) invalidate(accessToken string) {
	if s.cur != nil && s.cur.AccessToken == accessToken {
		s.retired.add(s.cur)
		s.refusals.at = time.Time{}
	}
}

// publish makes t the current token.
func (s *state) publish(t *Token) {
	if s.cur != nil {
		// A fast clock may make it expire later than its successor.
		s.retired.add(s.cur)
	}
	s.retired.remove(t) // in case the service issues the same one again
	s.cur = t
	s.failures, s.stalled = failures{}, false
	s.refusals.renewed(t)
	if t.shared {
		s.counters.adopted++
	}
}

// renewAhead starts a flight without waiters, if a renewal is due. The current
// token is usable.
func (s *state) renewAhead() {
	if s.flight != nil || !s.due().Passed(s.now) {
		return
	}
	switch {
	case s.cache.hasEnded():
		if !s.log.ended {
			s.log.ended = true
			s.logLine(slog.LevelInfo, MessageEnded)
		}
	case s.cur.renewAt.Passed(s.now):
		s.begin(reasonAhead)
	default: // the API refused the token
		s.begin(reasonRefused)
		s.progress.trial = anyTrial
	}
}

// due returns when the next background renewal may start. That is ahead of expiry.
// It is earlier if the API refused the token, and the renewal after that failed. If
// the API refuses new tokens too, it is when no request has met a 401 for a while.
func (s *state) due() limit.Moment {
	at, r := s.cur.renewAt, &s.refusals
	switch {
	case !s.refused():
	case r.unhelpful >= freeRenewals:
		at = at.Earlier(limit.MomentOf(r.last.Add(longestPause)))
	case s.failures.last != nil:
		at = limit.Moment{}
	}
	return at.Later(s.failures.until)
}

// tick renews the token ahead of its expiry if a caller has used it. If not, the
// next caller starts the renewal.
func (s *state) tick() {
	if t := s.current(); t != nil && t.handed.Load() {
		s.renewAhead()
	}
}

// prepare sets what follows from the rest: what requests may use without the
// lock, and the timer. It is called before the lock is released.
func (s *state) prepare() {
	t := s.current()
	if t == nil {
		s.cache.ready.Store(nil)
		return
	}
	until := t.usableUntil
	if s.flight == nil && !s.log.ended {
		due := s.due()
		until = until.Earlier(due)
		s.schedule(due)
	}
	switch o := s.cache.ready.Load(); {
	case s.holding():
		s.cache.ready.Store(nil)
	case o == nil || o.token != t || o.until != until:
		s.cache.ready.Store(&offer{t, until})
	}
}

// schedule sets the timer for the next background renewal.
func (s *state) schedule(due limit.Moment) {
	if s.timerAt == due {
		return
	}
	s.timerAt = due
	d := max(due.Remaining(s.now), 0)
	if s.timer == nil {
		s.timer = s.cache.after(d, (*state).tick)
	} else {
		s.timer.Reset(d)
	}
}
