package tokencache

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// MaxLifetime is the longest lifetime of a token. A token that lives longer
	// is renewed daily all the same.
	MaxLifetime = 24 * time.Hour

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

// Grant is what the service issued.
type Grant struct {
	AccessToken  string
	RefreshToken string // may be empty
	Lifetime     time.Duration
	Extra        map[string]any // the whole answer
}

// Token is an access token and what is known of it. The exported fields are
// not written to once it is made.
type Token struct {
	Grant
	Bearer string    // the Authorization header's value; AccessToken shares its bytes
	Issued time.Time // just before it was asked for
	Expiry time.Time // by the clock of this machine
	Op     string    // the operation that brought it; set by the Issuer

	// Account is whose token it is. Set by the Cache before it publishes it.
	Account *Account

	// Pool is for the user of the cache, who hands out something made of the
	// token.
	Pool sync.Pool

	id          fingerprint
	renewAt     moment // renewal ahead of expiry is due
	usableUntil moment
	obtained    time.Time

	// Written before the token is published: its place in the order of
	// refusals and auth calls, and the tokens that had been refused before it
	// was asked for.
	asked         Mark
	refusedBefore []fingerprint

	// hold is how long after obtained a refusal by the API is not believed.
	// It is 0 unless the token itself replaced a refused one. Written before
	// the token is published.
	hold time.Duration

	shared   bool        // it comes from the Store
	reported bool        // its refusal was logged; guarded by Cache.mu
	handed   atomic.Bool // to a caller
	accepted atomic.Bool // by the API
}

// NewToken makes a Token of what the service answers now to a request that was
// sent at issued.
func NewToken(g Grant, issued time.Time) *Token {
	now := time.Now()
	return newToken(g, issued, g.Lifetime-elapsed(issued, now), now)
}

// newToken makes a Token that lives for remaining from now on.
func newToken(g Grant, issued time.Time, remaining time.Duration, now time.Time) *Token {
	bearer := bearerPrefix + g.AccessToken
	g.AccessToken = bearer[len(bearerPrefix):]
	if _, ok := g.Extra["access_token"]; ok {
		g.Extra["access_token"] = g.AccessToken // let go of the other copy
	}
	expiry := now.Add(remaining)
	ahead := min(renewalWindow, g.Lifetime/4)
	return &Token{
		Grant:       g,
		Bearer:      bearer,
		Issued:      issued,
		Expiry:      expiry,
		id:          fingerprintOf(g.AccessToken),
		renewAt:     momentOf(expiry.Add(-jittered(ahead, jitter))),
		usableUntil: momentOf(expiry.Add(-min(expiryMargin, g.Lifetime/10))),
		obtained:    now,
	}
}

// Usable reports whether the token lives long enough to be sent.
func (t *Token) Usable() bool { return !t.usableUntil.passed(time.Now()) }

// AskedSince reports whether the token was asked for after m.
func (t *Token) AskedSince(m Mark) bool { return t.asked >= m }

// Accept notes that the API accepted the token.
func (t *Token) Accept() {
	if !t.accepted.Load() { // spares the other cores a write to a shared line
		t.accepted.Store(true)
	}
}

// handOut notes that a caller was given the token.
func (t *Token) handOut() {
	if !t.handed.Load() {
		t.handed.Store(true)
	}
}

// same reports whether both are one access token.
func (t *Token) same(other *Token) bool {
	return t != nil && other != nil && t.AccessToken == other.AccessToken
}

// outlives reports whether t expires later than other.
func (t *Token) outlives(other *Token) bool { return t.Expiry.After(other.Expiry) }

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
