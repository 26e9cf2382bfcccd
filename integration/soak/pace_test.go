package soak_test

import (
	"fmt"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
)

// pace knows how auth calls that fail may follow each other.
type pace struct {
	last     *authCall // that ended
	lived    bool      // there was a token meanwhile
	failed   time.Time // the last failure
	failures int       // with the API key, in a row, without a token
	first    time.Time // the first of these
}

const (
	attempts      = 3 // with the API key in one renewal
	attemptPause  = 200 * time.Millisecond
	firstPause    = 500 * time.Millisecond // after a failed renewal, at the least; doubles
	longestPause  = 15 * time.Second
	shortestPause = 10 * time.Millisecond // while there is a token
)

func (p *pace) failing(since time.Time) bool {
	return p.last != nil && (!p.last.ok || !p.failed.Before(since))
}

// took takes note of an auth call that ended.
func (p *pace) took(c *authCall, lived bool) {
	p.last, p.lived = c, lived
	if !c.ok {
		p.failed = c.to
	}
	switch {
	case c.ok || lived:
		p.failures = 0
	case c.op == apivideotest.Authenticate:
		if p.failures++; p.failures == 1 {
			p.first = c.to
		}
	}
}

// next says what is wrong with making this call now, if anything is.
func (p *pace) next(c *authCall) string {
	if p.last == nil || p.last.ok || p.last.op == apivideotest.Refresh && c.op == apivideotest.Authenticate {
		return ""
	}
	least := attemptPause
	switch {
	case p.lived:
		least = shortestPause
	case p.last.op == apivideotest.Refresh:
		least = firstPause
	}
	if gap := c.from.Sub(p.last.to); gap < least {
		return fmt.Sprintf("%s %v after a failure", c.op, gap)
	}
	if d := c.from.Sub(p.first); p.failures > 0 && d < leastOf(p.failures) {
		return fmt.Sprintf("%d failures with the API key in %v", p.failures, d)
	}
	return ""
}

// leastOf is the least time from the first of n failures to the next attempt.
func leastOf(n int) (d time.Duration) {
	for i := 1; i <= n; i++ {
		if i%attempts != 0 {
			d += attemptPause
		} else {
			d += min(firstPause<<min(i/attempts-1, 8), longestPause)
		}
	}
	return d
}
