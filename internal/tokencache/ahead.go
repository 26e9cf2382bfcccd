package tokencache

import (
	"log/slog"
	"time"
	"weak"
)

// renewAhead starts a flight without waiters, if a renewal is due. c.mu is held,
// and the current token is usable.
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
	// A weak pointer, so that the timer does not keep an unused Cache alive.
	ref := weak.Make(c)
	c.timer = time.AfterFunc(d, func() {
		if c := ref.Value(); c != nil {
			c.tick()
		}
	})
}

// tick renews the token ahead of its expiry if a caller has used it. If not, the
// next caller starts the renewal.
func (c *Cache) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if t := c.current(now); t != nil && t.handed.Load() {
		c.renewAhead(now)
	}
}
