package tokencache

import (
	"log/slog"
	"time"
	"weak"
)

// renewAhead starts a flight that nobody waits for, if it is time. c.mu is
// held, and the current token is usable.
func (c *Cache) renewAhead(now time.Time) {
	if c.flight != nil || !c.cur.renewAt.passed(now) || !c.failures.until.passed(now) {
		return
	}
	if !c.hasEnded() {
		c.begin(now, reasonAhead)
	} else if !c.logged.ended {
		c.logged.ended = true
		c.log(slog.LevelInfo, MessageEnded)
	}
}

// schedule sets the timer for the next renewal ahead of expiry. c.mu is held.
func (c *Cache) schedule(now time.Time) {
	if c.current(now) == nil {
		return
	}
	d := max(c.cur.renewAt.left(now), c.failures.until.left(now))
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
