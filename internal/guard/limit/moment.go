package limit

import "time"

// Moment is a point in time by two clocks. It has passed when one of them says
// so: the monotonic clock may stop while a machine sleeps, and the wall clock
// may be set back.
type Moment struct {
	T    time.Time // with a monotonic reading, if it has one
	Wall int64     // Unix nanoseconds
}

// MomentOf returns the moment that t is by both clocks.
func MomentOf(t time.Time) Moment { return Moment{t, t.UnixNano()} }

// Passed reports whether m has passed.
func (m Moment) Passed(now time.Time) bool {
	return !now.Before(m.T) || now.UnixNano() >= m.Wall
}

// Remaining returns the time until m, by the clock that says less.
func (m Moment) Remaining(now time.Time) time.Duration {
	return min(m.T.Sub(now), time.Duration(m.Wall-now.UnixNano()))
}

// Later returns the moment that passes when both have passed.
func (m Moment) Later(other Moment) Moment {
	if other.T.After(m.T) {
		m.T = other.T
	}
	m.Wall = max(m.Wall, other.Wall)
	return m
}

// Earlier returns the moment that passes when one of both has passed.
func (m Moment) Earlier(other Moment) Moment {
	if other.T.Before(m.T) {
		m.T = other.T
	}
	m.Wall = min(m.Wall, other.Wall)
	return m
}
