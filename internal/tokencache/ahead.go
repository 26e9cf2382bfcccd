package tokencache

import (
	"time"
	"weak"
)

// renewAhead starts a flight that nobody waits for, if it is time. c.mu is
// held, and the current token is usable.
func (c *Cache) renewAhead(now time.Time) {
	if c.flight == nil && c.cur.renewAt.passed(now) && !now.Before(c.failures.until) && c.ctx.Err() == nil {
		c.begin()
	}
}

// schedule sets the timer for the next renewal ahead of expiry. c.mu is held.
func (c *Cache) schedule(now time.Time) {
	if c.current(now) == nil {
		return
	}
	d := max(c.cur.renewAt.left(now), c.failures.until.Sub(now))
	if c.timer != nil {
		c.timer.Reset(d)
		return
	}
	// The timer must not keep a Cache alive that its program has dropped.
	ref := weak.Make(c)
	c.timer = time.AfterFunc(d, func() {
		if c := ref.Value(); c != nil {
			c.tick()
		}
	})
}

// tick renews the token ahead of its expiry, unless nobody has been handed it:
// then the next caller starts the renewal, if there is one.
func (c *Cache) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if t := c.current(now); t != nil && t.handed.Load() {
		c.renewAhead(now)
	}
}
