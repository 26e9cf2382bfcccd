package tokencache

import (
	"encoding/json"
	"math/rand/v2"
	"time"
)

const (
	// The first wait after a failed flight, which doubles to the longest. The
	// waits are longer after a failure that only a person can mend.
	firstWait        = 1 * time.Second
	longestWait      = 30 * time.Second
	firstFinalWait   = 5 * time.Second
	longestFinalWait = 60 * time.Second
	waitJitter       = 0.5
	// Servers have asked to wait 53 years.
	longestServerWait = 5 * time.Minute
	// Ahead of expiry a wait is at most a quarter of the usable time that is
	// left, but no shorter than this: the quarters would end in a storm.
	shortestWait = 500 * time.Millisecond
)

// failure is a failed flight, and what to make of it.
type failure struct {
	err   error // for those who need a token before the next flight; nil lets them begin one
	why   Explanation
	at    time.Time // by the wall clock, perhaps of another machine
	wait  time.Duration
	count int     // with those before it, since the last success
	cut   float64 // by which share of the most the wait was shortened; 0 if that is not known
	other bool    // another process shared it
}

// failures is what is remembered of failed flights since the last success.
type failures struct {
	failure
	until  moment    // no flight begins before; zero without a failure
	since  time.Time // the start of the first one
	last   error     // of the last one
	shared bool      // the last one was another process's
}

// block reports whether those who need a token get the error instead.
func (f *failures) block(now time.Time) bool { return f.err != nil && !f.until.passed(now) }

// explain asks the Issuer what an error means.
func (c *Cache) explain(err error) Explanation {
	return ask(Explanation{Temporary: true}, func() Explanation { return c.issuer.Explain(err) })
}

// next makes a failure of an error that follows count others. c.mu is held.
func (c *Cache) next(err error, why Explanation, count int, now time.Time) failure {
	first, longest, asked := firstWait, longestWait, why.Wait
	if !why.Temporary {
		first, longest, asked = firstFinalWait, longestFinalWait, 0
	}
	n := min(count, 8) // more doublings change nothing
	cut := c.failures.cutAfter(count)
	wait := min(first<<n, longest)
	wait -= time.Duration(cut * waitJitter * float64(wait))
	wait = min(max(wait, asked), longestServerWait)
	if t := c.current(now); t != nil {
		wait = max(min(wait, t.usableUntil.left(now)/4), shortestWait)
	}
	return failure{err: err, why: why, at: now, wait: wait, count: count + 1, cut: cut}
}

// cutAfter draws by how much to cut the wait of a failure that follows count
// others. Each second one makes up for the one before it: so a long outage
// costs about the same number of auth calls each time.
func (f *failure) cutAfter(count int) float64 {
	if count%2 == 1 && f.cut > 0 {
		return 1 - f.cut
	}
	return rand.Float64()
}

// remember notes the failure of f, whose error was err. c.mu is held.
func (c *Cache) remember(f *flight, err error, now time.Time) {
	since := c.failures.since
	if since.IsZero() {
		since = f.start
	}
	left := f.failure.left(now)
	c.failures = failures{f.failure, momentOf(now.Add(left)), since, err, f.failure.other}
}

// left is how much of the wait is left. A failure of another machine counts
// from when its clock said; one that was wrong ends the wait, not the service.
func (f *failure) left(now time.Time) time.Duration { return max(f.wait-f.age(now), 0) }

// counts reports whether the failure still counts as the one before the next.
func (f *failure) counts(now time.Time) bool { return f.age(now) < f.wait+maxCountAge }

// age is how far the wall clock is from the failure, before or after it.
func (f *failure) age(now time.Time) time.Duration { return now.Round(0).Sub(f.at.Round(0)).Abs() }

// record is a failure as the Store keeps it.
type record struct {
	At    time.Time       `json:"at"`
	Wait  time.Duration   `json:"wait"` // nanoseconds
	Count int             `json:"count"`
	Error json.RawMessage `json:"error"`
}

// maxCountAge is how long after its wait a failure still counts as the one
// before the next.
const maxCountAge = 5 * time.Minute
