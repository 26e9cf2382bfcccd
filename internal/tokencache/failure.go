package tokencache

import (
	"encoding/json"
	"math/rand/v2"
	"time"
)

const (
	// The wait after a failed flight. It doubles from the first to the longest.
	// Waits are longer after a final failure, which only a person can fix.
	firstWait        = 1 * time.Second
	longestWait      = 30 * time.Second
	firstFinalWait   = 5 * time.Second
	longestFinalWait = 60 * time.Second
	waitJitter       = 0.5
	// A server may ask for any wait, for example years.
	longestServerWait = 5 * time.Minute
	// While the token is usable, a wait is at most a quarter of the time that
	// is left, but at least this long: the last waits would be too short.
	shortestWait = 500 * time.Millisecond
)

// failure is a failed flight, and its effect on the next one.
type failure struct {
	err   error // for callers before the next flight; if nil, a caller starts one
	why   Explanation
	at    time.Time // by the wall clock, perhaps of another machine
	wait  time.Duration
	count int     // of failures since the last success, with this one
	cut   float64 // the share by which the wait was shortened; 0 if unknown
	other bool    // it comes from another process, over the Store
}

// failures is the memory of failed flights since the last success.
type failures struct {
	failure
	until moment    // no flight starts earlier; zero without a failure
	since time.Time // the start of the first failed flight
	last  error     // of the latest failure
}

// block reports whether callers get the error instead of a new flight.
func (f *failures) block(now time.Time) bool { return f.err != nil && !f.until.passed(now) }

// forget makes the next flight like one without failures before it, from now on.
// It is no success yet: since and last stay.
func (f *failures) forget(now time.Time) {
	*f = failures{until: momentOf(now), since: f.since, last: f.last}
}

// explain asks the Issuer what an error means.
func (c *Cache) explain(err error) Explanation {
	return ask(Explanation{Temporary: true}, func() Explanation { return c.issuer.Explain(err) })
}

// next makes the failure for err, after count other failures. c.mu is held.
func (c *Cache) next(err error, why Explanation, count int, now time.Time) failure {
	first, longest, asked := firstWait, longestWait, why.Wait
	if !why.Temporary {
		first, longest, asked = firstFinalWait, longestFinalWait, 0
	}
	n := min(count, 8) // more doublings change nothing
	cut := c.failures.cutAfter(count)
	wait := min(first<<n, longest)
	wait -= time.Duration(cut * waitJitter * float64(wait))
	wait = c.ahead(min(max(wait, asked), longestServerWait), now)
	return failure{err: err, why: why, at: now, wait: wait, count: count + 1, cut: cut}
}

// cutAfter returns the random share by which to cut the wait after count other
// failures. Every second share is 1 minus the one before: so the number of auth
// calls in a long outage varies little.
func (f *failure) cutAfter(count int) float64 {
	if count%2 == 1 && f.cut > 0 {
		return 1 - f.cut
	}
	return rand.Float64()
}

// remember stores the failure of f, whose error was err. c.mu is held.
func (c *Cache) remember(f *flight, err error, now time.Time) {
	since := c.failures.since
	if since.IsZero() {
		since = f.start
	}
	left := c.waitFor(&f.failure, now)
	c.failures = failures{f.failure, momentOf(now.Add(left)), since, err}
}

// waitFor returns the rest of the wait after a failure. A wait of another process,
// which may have no token, is shortened if there is one here. The time of another
// machine's failure is by its clock. If that clock is far off, there is no wait.
// c.mu is held.
func (c *Cache) waitFor(f *failure, now time.Time) time.Duration {
	wait := f.wait
	if f.other {
		wait = c.ahead(wait, now)
	}
	return max(wait-f.age(now), 0)
}

// ahead returns a wait, shortened if there is a usable token. c.mu is held.
func (c *Cache) ahead(wait time.Duration, now time.Time) time.Duration {
	if t := c.current(now); t != nil {
		return max(min(wait, t.usableUntil.left(now)/4), shortestWait)
	}
	return wait
}

// same reports whether both are the same failed flight. other may be nil.
func (f *failure) same(other *failure) bool { return other != nil && f.at.Equal(other.at) }

// counts reports whether the next failure continues this one's count.
func (f *failure) counts(now time.Time) bool { return f.age(now) < f.wait+maxCountAge }

// age returns the time between the failure and now by the wall clock, never
// negative: the clock may have been set back.
func (f *failure) age(now time.Time) time.Duration { return now.Round(0).Sub(f.at.Round(0)).Abs() }

// record is a failure in the Store.
type record struct {
	At    time.Time       `json:"at"`
	Wait  time.Duration   `json:"wait"` // nanoseconds
	Count int             `json:"count"`
	Error json.RawMessage `json:"error"`
}

// maxCountAge is how long after its wait a failure's count is still continued, by
// this process and by others. An older failure says nothing about the service now.
const maxCountAge = 5 * time.Minute
