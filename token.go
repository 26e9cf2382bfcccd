package apivideo

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

const (
	// The service documents tokens of an hour, which is assumed of an answer
	// that does not say.
	defaultLifetime = time.Hour
	// What is said to live longer is renewed daily all the same.
	maxLifetime = 24 * time.Hour
	// Renewal starts this long before expiry, or a quarter of the lifetime,
	// whichever is less. It outlasts an auth outage of ten minutes.
	renewalWindow = 15 * time.Minute
	// A token is not used in its last seconds, or its last tenth, so that it
	// does not expire on its way. oauth2 allows the same 10 seconds.
	expiryMargin = 10 * time.Second
	// How much sooner or shorter a wait may be, so that programs that
	// started together do not call together.
	jitter = 0.2
)

const bearerPrefix = "Bearer "

// entry is a token and what is known of it. The plain fields are not written
// to once it is made.
type entry struct {
	token    oauth2.Token
	bearer   string         // the Authorization header's value; token shares its bytes
	extra    map[string]any // what token.Extra reads
	issued   time.Time
	lifetime time.Duration
	renewAt  moment // renewal ahead of expiry is due
	unusable moment
	obtained time.Time

	// hold is how long after obtained a refusal by the API is not believed.
	// It is 0 unless the entry itself replaced a refused one. Written before
	// the entry is published.
	hold time.Duration

	shared bool        // it comes from a Store
	handed atomic.Bool // to a caller
	met    atomic.Bool // an answer of the API other than 401
}

// newEntry makes an entry of a token that lives for lifetime since issued,
// and for remaining from now on.
func newEntry(g grant, issued time.Time, remaining time.Duration, now time.Time) *entry {
	bearer := bearerPrefix + g.accessToken
	access := bearer[len(bearerPrefix):]
	if _, ok := g.extra["access_token"]; ok {
		g.extra["access_token"] = access // let go of the other copy
	}
	expiry := now.Add(remaining)
	t := oauth2.Token{
		AccessToken:  access,
		TokenType:    "Bearer",
		RefreshToken: g.refreshToken,
		Expiry:       expiry,
		ExpiresIn:    int64(g.lifetime / time.Second),
	}
	ahead := min(renewalWindow, g.lifetime/4)
	return &entry{
		token:    *t.WithExtra(g.extra),
		bearer:   bearer,
		extra:    g.extra,
		issued:   issued,
		lifetime: g.lifetime,
		renewAt:  momentOf(expiry.Add(-jittered(ahead, jitter))),
		unusable: momentOf(expiry.Add(-min(expiryMargin, g.lifetime/10))),
		obtained: now,
	}
}

// same reports whether both are entries of one access token.
func (e *entry) same(other *entry) bool {
	return e != nil && other != nil && e.token.AccessToken == other.token.AccessToken
}

// outlives reports whether e expires later than other.
func (e *entry) outlives(other *entry) bool { return e.token.Expiry.After(other.token.Expiry) }

// use marks e as handed out.
func (e *entry) use() {
	if !e.handed.Load() { // spares the other cores a write to a shared line
		e.handed.Store(true)
	}
}

// moment is a point in time by two clocks. It has passed when either says so:
// the monotonic clock may stop while a machine sleeps, and the wall clock may
// be set back.
type moment struct {
	t    time.Time // with a monotonic reading, where there is one
	wall int64     // Unix nanoseconds
}

func momentOf(t time.Time) moment { return moment{t, t.UnixNano()} }

func (m moment) passed(now time.Time) bool {
	return !now.Before(m.t) || now.UnixNano() >= m.wall
}

// left is how long it is until m, by the clock that says less.
func (m moment) left(now time.Time) time.Duration {
	return min(m.t.Sub(now), time.Duration(m.wall-now.UnixNano()))
}

// elapsed is the time since then, by the clock that says more: one may have
// stopped while the machine slept, and the other been set back.
func elapsed(then, now time.Time) time.Duration {
	return max(now.Sub(then), now.Round(0).Sub(then.Round(0)))
}

// jittered is d, shortened by up to a share of it.
func jittered(d time.Duration, share float64) time.Duration {
	return d - time.Duration(rand.Float64()*share*float64(d))
}
