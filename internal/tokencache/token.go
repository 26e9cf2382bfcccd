package tokencache

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

const (
	// MaxLifetime is the longest lifetime of a token. If the service grants more,
	// the token is renewed daily.
	MaxLifetime = 24 * time.Hour

	// Renewal starts this long before expiry, or a quarter of the lifetime,
	// whichever is less. An auth outage of ten minutes then has no effect.
	renewalWindow = 15 * time.Minute
	// A token is not used in its last 10 seconds, or its last tenth if that is
	// less: it could expire in transit. Package oauth2 uses 10 seconds too.
	expiryMargin = 10 * time.Second
	// The share of a wait that is random, so that programs that started at the
	// same time do not call at the same time.
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

// Token is an access token and its state. The exported fields are not written to
// after the token is published.
type Token struct {
	Grant
	Bearer string    // the Authorization header's value; AccessToken shares its bytes
	Issued time.Time // just before the request for it was sent
	Expiry time.Time // by the clock of this machine
	Op     string    // the operation that got it; set by the Issuer

	// Account is the account of the token. The Cache sets it.
	Account *Account

	id          fingerprint
	renewAt     moment // renewal ahead of expiry is due
	usableUntil moment
	obtained    time.Time

	// When the token was requested, in the order of refusals and auth calls, and
	// the tokens that the API had refused by then. Written before the token is
	// published.
	asked         Mark
	refusedBefore []fingerprint

	// hold is how long after obtained a refusal of this token starts no renewal.
	// It is 0 unless the token replaced a refused one. Written before the token
	// is published.
	hold time.Duration

	shared   bool        // it comes from the Store
	reported bool        // its refusal was logged; guarded by Cache.mu
	handed   atomic.Bool // to a caller
	accepted atomic.Bool // by the API
}

// NewToken makes a Token from an answer that has just arrived. issued is when the
// request was sent.
func NewToken(g Grant, issued time.Time) *Token {
	now := time.Now()
	return newToken(g, issued, g.Lifetime-elapsed(issued, now), now)
}

// newToken makes a Token that expires at now plus remaining.
func newToken(g Grant, issued time.Time, remaining time.Duration, now time.Time) *Token {
	bearer := bearerPrefix + g.AccessToken
	g.AccessToken = bearer[len(bearerPrefix):]
	if _, ok := g.Extra["access_token"]; ok {
		g.Extra["access_token"] = g.AccessToken // so that the other copy can be freed
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

// AskedSince reports whether this process requested the token after m. Of a token
// from the Store nobody knows that: the refusals before it may be of other
// processes, long before m.
func (t *Token) AskedSince(m Mark) bool { return !t.shared && t.asked > m }

// follows reports whether the token was requested after m, as far as this process
// knows. All tokens follow the zero Mark.
func (t *Token) follows(m Mark) bool { return m == 0 || t.asked > m }

// Accept notes that the API accepted the token.
func (t *Token) Accept() {
	if !t.accepted.Load() { // a load is cheaper than a store that other cores share
		t.accepted.Store(true)
	}
}

// handOut notes that a caller got the token.
func (t *Token) handOut() {
	if !t.handed.Load() {
		t.handed.Store(true)
	}
}

// same reports whether both have the same access token. Either may be nil.
func (t *Token) same(other *Token) bool {
	return t != nil && other != nil && t.AccessToken == other.AccessToken
}

// outlives reports whether t expires later than other.
func (t *Token) outlives(other *Token) bool { return t.Expiry.After(other.Expiry) }

// moment is a point in time by two clocks. It has passed when one of them says
// so: the monotonic clock may stop while a machine sleeps, and the wall clock
// may be set back.
type moment struct {
	t    time.Time // with a monotonic reading, if it has one
	wall int64     // Unix nanoseconds
}

func momentOf(t time.Time) moment { return moment{t, t.UnixNano()} }

func (m moment) passed(now time.Time) bool {
	return !now.Before(m.t) || now.UnixNano() >= m.wall
}

// left returns the time until m, by the clock that says less.
func (m moment) left(now time.Time) time.Duration {
	return min(m.t.Sub(now), time.Duration(m.wall-now.UnixNano()))
}

// elapsed returns the time since then, by the clock that says more. See moment.
func elapsed(then, now time.Time) time.Duration {
	return max(now.Sub(then), now.Round(0).Sub(then.Round(0)))
}

// jittered returns d minus a random part of up to share.
func jittered(d time.Duration, share float64) time.Duration {
	return d - time.Duration(rand.Float64()*share*float64(d))
}
