package apivideo

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"slices"
	"time"
	"weak"
)

const (
	// The first wait after a failed flight, which doubles to the longest. The
	// waits after a refusal that only a person can mend are longer.
	firstPause     = 1 * time.Second
	longestPause   = 30 * time.Second
	firstRefused   = 5 * time.Second
	longestRefused = 60 * time.Second
	pauseJitter    = 0.5
	longestFloor   = 5 * time.Minute       // of what the server asks for; it has asked for 53 years
	shortestPause  = 10 * time.Millisecond // so that the quarters of what is left come to an end
	firstHold      = 1 * time.Second
	longestHold    = 1 * time.Minute
	maxRejected    = 16 // a Store lags behind by a token or two
)

// errHeld: the API refuses every token, so that a new one would not help.
var errHeld = errors.New("apivideo: the API refuses new access tokens too")

// renewAhead starts a flight that nobody waits for, if it is time. c.mu is
// held, and the current token is usable.
func (c *cache) renewAhead(now time.Time) {
	if c.flight == nil && c.cur.renewAt.passed(now) && !now.Before(c.pause.until) && c.ctx.Err() == nil {
		c.begin()
	}
}

// schedule sets the timer for the next renewal ahead of expiry. c.mu is held.
func (c *cache) schedule(now time.Time) {
	if c.current(now) == nil {
		return
	}
	d := max(c.cur.renewAt.left(now), c.pause.until.Sub(now))
	if c.timer != nil {
		c.timer.Reset(d)
		return
	}
	// The timer must not keep a Source alive that its program has dropped.
	ref := weak.Make(c)
	c.timer = time.AfterFunc(d, func() {
		if c := ref.Value(); c != nil {
			c.tick()
		}
	})
}

// tick renews the token ahead of its expiry, unless nobody has been handed it:
// then the next caller starts the renewal, if there is one.
func (c *cache) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if e := c.current(now); e != nil && e.handed.Load() {
		c.renewAhead(now)
	}
}

// land ends a flight: it publishes the token, or remembers the failure.
func (c *cache) land(f *flight, e *entry, err error) {
	now := time.Now()
	f.entry, f.err = e, err
	c.mu.Lock()
	c.flight = nil
	switch _, unshared := errors.AsType[*storeError](err); {
	case err == nil:
		c.adopt(f, e)
	case f.ctx.Err() != nil: // aborted
		f.err = errAgain
	case unshared:
		f.err = errAgain
		c.remember(nil, firstPause, longestPause, 0, now)
	case asError(err).Temporary():
		c.remember(err, firstPause, longestPause, asError(err).RetryAfter, now)
	default:
		c.remember(err, firstRefused, longestRefused, 0, now)
	}
	if c.cur != nil && !c.dropped.has(c.cur) {
		c.ready.Store(c.cur)
	}
	c.schedule(now)
	until := c.pause.until
	close(f.done)
	c.mu.Unlock()
	if err == nil {
		c.log(slog.LevelDebug, "api.video: new access token", "expiry", e.token.Expiry)
	} else if f.ctx.Err() == nil {
		c.log(slog.LevelWarn, "api.video: no new access token", "error", err, "next_attempt_in", until.Sub(now))
	}
}

// adopt makes e the current token. c.mu is held.
func (c *cache) adopt(f *flight, e *entry) {
	if c.cur != nil {
		// By a clock that was ahead, it may seem to outlive its successor.
		c.dropped.add(c.cur)
	}
	if f.refused != nil {
		// What another process renewed is worth a first try.
		if hold := f.refused.nextHold(); !e.shared || hold > firstHold {
			e.hold = hold
		}
	}
	c.dropped.remove(e) // in case the service issues the same one again
	c.cur = e
	c.pause = pause{}
}

// remember sets the pause after a failed flight, in which those who need a
// token get err, unless it is nil. c.mu is held.
func (c *cache) remember(err error, first, longest, floor time.Duration, now time.Time) {
	n := min(c.pause.failures, 8) // more doublings change nothing
	wait := jittered(min(first<<n, longest), pauseJitter)
	wait = min(max(wait, floor), longestFloor)
	if e := c.current(now); e != nil {
		wait = max(min(wait, e.unusable.left(now)/4), shortestPause)
	}
	c.pause = pause{c.pause.failures + 1, now.Add(wait), err}
}

// held reports whether a refusal of e by the API is not to be believed yet:
// e replaced a refused token itself, and no request has succeeded with it.
func (e *entry) held(now time.Time) bool {
	return !e.met.Load() && now.Before(e.obtained.Add(e.hold))
}

// nextHold is the hold of the entry that replaces e after a refusal.
func (e *entry) nextHold() time.Duration {
	if e.hold == 0 || e.met.Load() {
		return firstHold
	}
	return min(2*e.hold, longestHold)
}

// rejected are the latest access tokens that are not to be used again, as
// hashes: the current one perhaps, and those that may still be in a Store.
type rejected []uint64

var rejectedSeed = maphash.MakeSeed()

func hashOf(e *entry) uint64 { return maphash.String(rejectedSeed, e.token.AccessToken) }

func (r rejected) has(e *entry) bool { return len(r) > 0 && slices.Contains(r, hashOf(e)) }

func (r *rejected) add(e *entry) {
	r.remove(e)
	*r = append(*r, hashOf(e))
	if len(*r) > maxRejected {
		*r = slices.Delete(*r, 0, 1)
	}
}

func (r *rejected) remove(e *entry) {
	hash := hashOf(e)
	*r = slices.DeleteFunc(*r, func(h uint64) bool { return h == hash })
}

func (c *cache) log(level slog.Level, message string, args ...any) {
	if c.conf.Logger != nil {
		c.conf.Logger.Log(context.WithoutCancel(c.ctx), level, message, args...)
	}
}
