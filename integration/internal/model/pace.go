package model

import (
	"fmt"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/integration/internal/wire"
)

// pace checks the intervals between auth calls after failures.
type pace struct {
	last     *wire.Call // that ended
	ok       bool       // it brought a token
	plain    bool       // it was a refresh whose failure the API key makes good
	later    bool       // it was a refresh that may end a renewal: the service had been failing
	broken   bool       // a renewal has failed since the last token
	least    time.Duration
	failed   time.Time // the last failure but for plain ones
	failures int       // with the API key, in a row, without a token
	first    time.Time // the first of these
}

const (
	attempts      = 3 // with the API key in one renewal
	attemptPause  = 200 * time.Millisecond
	firstPause    = 500 * time.Millisecond // after a failed renewal, at the least; doubles
	longestPause  = 15 * time.Second
	refusedPause  = 2500 * time.Millisecond // after one that failed for good, at the least
	longestFloor  = 5 * time.Minute         // that the service may ask for
	shortestPause = 10 * time.Millisecond   // while there is a token
)

// failing reports whether a renewal has failed since then, or was the last to.
func (p *pace) failing(since time.Time) bool {
	return p.last != nil && !p.failed.IsZero() && (!p.ok && !p.plain || !p.failed.Before(since))
}

// took records an auth call that has ended. left is how long the current token was
// still usable, or 0 without one.
func (p *pace) took(c *wire.Call, got wire.Answer, ok bool, left time.Duration) {
	p.last, p.ok = c, ok
	refresh := !ok && c.Op == apivideotest.Refresh && got.Floor == 0 && !got.Suspended
	p.later = refresh && got.Early && p.broken
	p.plain = refresh && !p.later
	if !ok && !p.plain {
		p.failed = c.To
	}
	p.broken = !ok && (p.broken || !p.plain)
	p.least = leastAfter(c, got)
	if left > 0 {
		p.least = max(min(p.least, left/4), shortestPause)
	}
	switch {
	case ok || left > 0:
		p.failures = 0
	case c.Op == apivideotest.Authenticate:
		if p.failures++; p.failures == 1 {
			p.first = c.To
		}
	}
}

// leastAfter is the least time from a failure to the next auth call, while there
// is no token.
func leastAfter(c *wire.Call, got wire.Answer) time.Duration {
	least := attemptPause
	switch {
	case got.Suspended, got.Final && c.Op == apivideotest.Authenticate:
		least = refusedPause
	case c.Op == apivideotest.Refresh:
		least = firstPause
	}
	return max(least, min(got.Floor, longestFloor))
}

// next returns the reason why this call must not be made now, or "".
func (p *pace) next(c *wire.Call, slack time.Duration) string {
	if p.last == nil || p.ok {
		return ""
	}
	gap := c.From.Sub(p.last.To)
	switch {
	case p.plain && c.Op == apivideotest.Authenticate:
		if gap > slack {
			return fmt.Sprintf("the API key is used %v after the refresh token failed", gap)
		}
	case p.plain:
		return "a refresh after one that failed"
	case p.later && c.Op == apivideotest.Authenticate && gap <= slack:
	case gap < p.least:
		return fmt.Sprintf("%s %v after a failure, %v is the least", c.Op, gap, p.least)
	case p.failures > 0 && c.From.Sub(p.first) < leastOf(p.failures):
		return fmt.Sprintf("%d failures with the API key in %v", p.failures, c.From.Sub(p.first))
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
