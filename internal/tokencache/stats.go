package tokencache

import "time"

// counters are those of Stats that a Cache counts with its lock held.
type counters struct{ adopted, storeFailures, refusals uint64 }

// Stats is a snapshot of a Cache. See apivideo.Stats.
type Stats struct {
	Usable       bool
	Expiry       time.Time
	RenewAt      time.Time
	FailingSince time.Time
	NextAttempt  time.Time
	LastError    error
	RefusedSince time.Time

	Adopted       uint64
	StoreFailures uint64
	Refusals      uint64
	Waits         uint64
}

// Stats returns a snapshot. It makes no call and waits for nothing.
func (c *Cache) Stats() (stats Stats) {
	c.do(func(s *state) { stats = s.stats() })
	stats.Waits = c.waits.Load()
	return stats
}

func (s *state) stats() Stats {
	stats := Stats{
		Usable:        s.current() != nil && !s.holding(),
		Adopted:       s.counters.adopted,
		StoreFailures: s.counters.storeFailures,
		Refusals:      s.counters.refusals,
	}
	if s.cur != nil {
		stats.Expiry, stats.RenewAt = s.cur.Expiry, s.cur.renewAt.T
	}
	if s.failures.last != nil {
		stats.FailingSince, stats.NextAttempt, stats.LastError = s.failures.since, s.failures.until.T, s.failures.last
	}
	if s.refused() {
		stats.RefusedSince = s.refusals.since
	}
	return stats
}
