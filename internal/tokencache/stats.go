package tokencache

import "time"

// Stats is a snapshot of a Cache. See apivideo.Stats.
type Stats struct {
	Usable       bool
	Expiry       time.Time
	RenewAt      time.Time
	FailingSince time.Time
	NextAttempt  time.Time
	LastError    error

	Adopted       uint64
	StoreFailures uint64
	Refusals      uint64
	Waits         uint64
}

// Stats returns a snapshot. It makes no call and waits for nothing.
func (c *Cache) Stats() Stats {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Waits = c.waits.Load()
	s.Usable = c.current(now) != nil && !c.replacing()
	if c.cur != nil {
		s.Expiry, s.RenewAt = c.cur.Expiry, c.cur.renewAt.t
	}
	if c.failures.last != nil {
		s.FailingSince, s.NextAttempt, s.LastError = c.failures.since, c.failures.until.t, c.failures.last
	}
	return s
}
