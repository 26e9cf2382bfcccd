package tokencache

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard/limit"
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
	renewAt     limit.Moment // renewal ahead of expiry is due
	usableUntil limit.Moment

	// replaces is the token that the API had refused when this one was requested,
	// or "". Written before the token is published.
	replaces fingerprint

	shared  bool        // it comes from the Store
	handed  atomic.Bool // to a caller
	watched atomic.Bool // the Cache wants to know when the API accepts it

	// Only for methods of state.
	reported bool // its refusal was logged
	trial    trial
}

// trial is what would show that a renewal because of a 401 helped. It is over when
// the token is refused.
type trial int

const (
	noTrial     trial = iota
	replayTrial       // the API accepts a request that it refused with another token
	anyTrial          // the API accepts any request: no request waits to be sent again
)

// NewToken makes a Token from an answer that has just arrived. issued is when the
// request was sent.
func NewToken(g Grant, issued time.Time) *Token {
	now := time.Now()
	return newToken(g, issued, g.Lifetime-limit.Elapsed(issued, now), now)
}

// newToken makes a Token that expires at now plus remaining.
func newToken(g Grant, issued time.Time, remaining time.Duration, now time.Time) *Token {
	bearer := bearerPrefix + g.AccessToken
	g.AccessToken = bearer[len(bearerPrefix):]
	if _, ok := g.Extra["access_token"]; ok {
		g.Extra["access_token"] = g.AccessToken // so that the other copy can be freed
	}
	expiry := now.Add(remaining)
	window := min(renewalWindow, g.Lifetime/4)
	return &Token{
		Grant:       g,
		Bearer:      bearer,
		Issued:      issued,
		Expiry:      expiry,
		id:          fingerprintOf(g.AccessToken),
		renewAt:     limit.MomentOf(expiry.Add(-jittered(window, jitter))),
		usableUntil: limit.MomentOf(expiry.Add(-min(expiryMargin, g.Lifetime/10))),
	}
}

// Usable reports whether the token lives long enough to be sent.
func (t *Token) Usable() bool { return !t.usableUntil.Passed(time.Now()) }

// RequestedSince reports whether this process requested the token at that time or
// later. Of a token from the Store nobody knows that.
func (t *Token) RequestedSince(at time.Time) bool { return !t.shared && !t.Issued.Before(at) }

// follows reports whether the token can replace one that the API refused. Without
// since, any token can. With since, it was requested later: by this process, or by
// another one that replaced the same token because of a 401.
func (t *Token) follows(refused *Token, since time.Time) bool {
	return since.IsZero() || t.RequestedSince(since) || t.shared && t.replaces == refused.id
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

// jittered returns d minus a random part of up to share.
func jittered(d time.Duration, share float64) time.Duration {
	return d - time.Duration(rand.Float64()*share*float64(d))
}
