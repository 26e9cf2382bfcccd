package tokencache

import "time"

const (
	// The first wait after a failed flight, which doubles to the longest. The
	// waits are longer after a failure that only a person can mend.
	firstWait         = 1 * time.Second
	longestWait       = 30 * time.Second
	firstFinalWait    = 5 * time.Second
	longestFinalWait  = 60 * time.Second
	waitJitter        = 0.5
	longestServerWait = 5 * time.Minute       // servers have asked for 53 years
	shortestWait      = 10 * time.Millisecond // so that the quarters of what is left come to an end
)

// failures is what is remembered of failed flights since the last success.
type failures struct {
	count int
	until time.Time // no flight begins before
	err   error     // for those who need a token meanwhile; nil lets them begin a flight
}

// block reports whether those who need a token get the error instead.
func (f failures) block(now time.Time) bool { return f.err != nil && now.Before(f.until) }

// remember notes a failed flight. Those who need a token before the next one
// get err, unless it is nil. serverWait is how long the service asked to wait.
// c.mu is held.
func (c *Cache) remember(err error, temporary bool, serverWait time.Duration, now time.Time) {
	first, longest := firstWait, longestWait
	if !temporary {
		first, longest, serverWait = firstFinalWait, longestFinalWait, 0
	}
	n := min(c.failures.count, 8) // more doublings change nothing
	wait := jittered(min(first<<n, longest), waitJitter)
	wait = min(max(wait, serverWait), longestServerWait)
	if t := c.current(now); t != nil {
		wait = max(min(wait, t.usableUntil.left(now)/4), shortestWait)
	}
	c.failures = failures{c.failures.count + 1, now.Add(wait), err}
}
