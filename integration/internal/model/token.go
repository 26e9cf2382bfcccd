package model

import "time"

const (
	renewalWindow = 15 * time.Minute // or a quarter of the lifetime: the earliest renewal
	expiryMargin  = 10 * time.Second // or a tenth of it: the latest use
	holdTime      = 2 * time.Second  // after a 401, others wait for the new token
	quietTime     = 10 * time.Minute // without a 401, after which refusals are forgotten
)

// Token is an access token as one Source knows it.
type Token struct {
	Access   string
	Issued   time.Time // when the auth call that brought it began
	Expiry   time.Time
	FirstUse time.Time // by a request; zero if there was none
	Refused  time.Time // by the API; zero if it was not

	refresh      string    // its refresh token
	ends         time.Time // its expiry by the right clock
	obtained     time.Time // by this Source
	due          time.Time // renewal ahead of expiry, at the earliest
	unusable     time.Time // it must be used until then
	unused       time.Time // it must not be used from then on; unusable unless the Store said more than one thing
	told         bool      // it is from the Store
	accepted     time.Time // the latest answer of the API that accepted it
	firstRefused time.Time // the first time
	unsure       bool      // there was a 401 that the Source may not know of
	doubted      bool      // Source.Invalidate was called with it
	invalidated  bool      // and has returned
}

func newToken(access string, began, obtained time.Time, lifetime, slack time.Duration) *Token {
	expiry := began.Add(lifetime)
	unusable := expiry.Add(-min(expiryMargin, lifetime/10))
	return &Token{
		Access:   access,
		Issued:   began,
		Expiry:   expiry,
		ends:     expiry,
		obtained: obtained,
		due:      expiry.Add(-min(renewalWindow, lifetime/4) - slack),
		unusable: unusable,
		unused:   unusable,
	}
}

// lives reports whether a Source has k to serve, be it refused.
func (k *Token) lives(now time.Time) bool {
	return k != nil && !k.invalidated && now.Before(k.unusable)
}

// Serves reports whether a request with k need not wait.
func (k *Token) Serves(now time.Time) bool {
	return k.lives(now) && !k.doubted && !k.unsure && k.Refused.IsZero()
}

// refuse records a 401 that the Source has seen.
func (k *Token) refuse(now time.Time) {
	if k.Refused.IsZero() {
		k.Refused = now
	}
	if k.firstRefused.IsZero() {
		k.firstRefused = now
	}
}
