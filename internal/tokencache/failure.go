package tokencache

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard/limit"
)

const (
	// The wait after a failed flight. It doubles from the first to the longest.
	// Waits are longer after a final failure, which only a person can fix.
	firstWait        = 1 * time.Second
	longestWait      = 30 * time.Second
	firstFinalWait   = 5 * time.Second
	longestFinalWait = 60 * time.Second
	waitJitter       = 0.5
	// The random shares of successive waits are this far apart, modulo 1. So the
	// number of auth calls in a long outage varies little.
	goldenRatio = 0.618034
	// A server may ask for any wait, for example years.
	longestServerWait = 5 * time.Minute
	// While the token is usable, a wait is at most a quarter of the time that
	// is left, but at least this long: the last waits would be too short.
	shortestWait = 500 * time.Millisecond
	// How long after its wait a failure's count is still continued, by this
	// process and by others. An older failure says nothing about the service now.
	maxCountAge = 5 * time.Minute
	// How many API keys have a memory of failures. With so many keys that fail,
	// a further one continues the count of the key before it.
	maxKeys = 8
)

// failure is a failed flight, and its effect on the next one.
type failure struct {
	err   error // for callers before the next flight
	why   Explanation
	at    time.Time // by the wall clock, perhaps of another machine
	wait  time.Duration
	count int  // of failures since the last success, with this one
	other bool // it comes from another process, over the Store

	// postponed reports that only the Store failed and nobody waited: callers get
	// no error, but start a flight.
	postponed bool
}

// memory is what is remembered of the failures with one API key.
type memory struct {
	failure
	until limit.Moment // no flight with this key starts earlier
	phase float64      // random, for the waits after the failures; 0 before the first
}

// failures is the memory of failed flights since the last success.
type failures struct {
	memory                   // of the current API key
	others map[string]memory // of other keys, by the names of their accounts
	since  time.Time         // the start of the first failed flight
	last   error             // of the latest failure
}

// block reports whether callers get the error instead of a new flight.
func (m *memory) block(now time.Time) bool {
	return m.err != nil && !m.postponed && !m.until.Passed(now)
}

// current returns the failure that blocks, or nil.
func (m *memory) current(now time.Time) *failure {
	if !m.block(now) {
		return nil
	}
	p := m.failure
	return &p
}

// forget makes the next flight like one without failures before it, from now on.
func (m *memory) forget(now time.Time) { *m = memory{until: limit.MomentOf(now)} }

// change replaces the memory of one API key by that of another.
func (f *failures) change(from, to string, now time.Time) {
	known, failed := f.others[to]
	if f.others == nil {
		f.others = make(map[string]memory)
	}
	if f.err != nil && len(f.others) < maxKeys {
		f.others[from] = f.memory
	}
	switch {
	case failed:
		f.memory = known
		delete(f.others, to)
	case len(f.others) < maxKeys:
		f.forget(now)
	default:
		f.until = limit.MomentOf(now)
	}
}

// explain asks the Issuer what an error means.
func (c *Cache) explain(err error) Explanation {
	return prompt(Explanation{Temporary: true}, func() Explanation { return c.issuer.Explain(err) })
}

// failed makes the outcome of a flight that ended with err. A limit that was late
// shows that the process did not run: the flight then counts as not tried, but not
// twice in a row.
func (c *Cache) failed(f *flight, err error) outcome {
	if f.ctx.Err() != nil {
		return outcome{}
	}
	why := c.explain(err)
	s := c.lock()
	defer c.unlock(s)
	late := why.Late && !s.stalled
	s.stalled = late
	if late {
		return outcome{}
	}
	return outcome{failure: s.fail(err, why)}
}

// fail makes the next failure.
func (s *state) fail(err error, why Explanation) *failure {
	first, longest, floor := firstWait, longestWait, why.Wait
	if !why.Temporary {
		first, longest, floor = firstFinalWait, longestFinalWait, 0
	}
	wait := min(first<<min(s.failures.count, 8), longest) // more doublings change nothing
	wait -= time.Duration(s.failures.share() * waitJitter * float64(wait))
	wait = s.shortened(min(max(wait, floor), longestServerWait))
	return &failure{err: err, why: why, at: s.now, wait: wait, count: s.failures.count + 1}
}

// share returns the share of the jitter by which the next wait is shorter.
func (m *memory) share() float64 {
	if m.phase == 0 {
		m.phase = rand.Float64()
	}
	_, share := math.Modf(m.phase + goldenRatio*float64(m.count))
	return share
}

// remember stores a failure. start is when its flight began.
func (s *state) remember(f *failure, start time.Time) {
	r := &s.failures
	if r.since.IsZero() {
		r.since = start
	}
	r.failure, r.until = *f, limit.MomentOf(s.now.Add(s.waitFor(f)))
	r.last = f.err
}

// waitFor returns the rest of the wait after a failure. A wait of another process,
// which may have no token, is shortened if there is one here. The time of another
// machine's failure is by its clock. If that clock is far off, there is no wait.
func (s *state) waitFor(f *failure) time.Duration {
	wait := f.wait
	if f.other {
		wait = s.shortened(wait)
	}
	return max(wait-f.age(s.now), 0)
}

// shortened returns the wait after a failure, which is shorter if there is a
// usable token.
func (s *state) shortened(wait time.Duration) time.Duration {
	if t := s.current(); t != nil {
		return max(min(wait, t.usableUntil.Remaining(s.now)/4), shortestWait)
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
