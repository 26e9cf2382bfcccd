package model

import "time"

const (
	renewalWindow = 15 * time.Minute // or a quarter of the lifetime: the earliest renewal
	expiryMargin  = 10 * time.Second // or a tenth of it: the latest use
	firstHold     = time.Second      // how long refusals are held off; doubles
	longestHold   = time.Minute
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
	former       *Token
	met          time.Time // the first answer of the API other than 401
	firstRefused time.Time // the first time; Refused is the first that is to be believed
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
func (k *Token) refuse(now time.Time, slack time.Duration) {
	if k.Refused.IsZero() || k.doubtful(slack) {
		k.Refused = now
	}
	if k.firstRefused.IsZero() {
		k.firstRefused = now
	}
}

// hold returns how long a refusal of k may be held off: k replaced a token that
// was refused. A token that was requested before that adds no hold.
func (k *Token) hold(slack time.Duration) time.Duration {
	f := k.former
	if f == nil || !f.unsure && (f.firstRefused.IsZero() || f.firstRefused.After(k.obtained.Add(slack))) {
		return 0
	}
	hold := f.hold(slack)
	if !f.met.IsZero() && f.met.Add(slack).Before(k.obtained) {
		hold = 0
	}
	if !f.unsure && k.Issued.Add(slack).Before(f.firstRefused) {
		return hold
	}
	return min(max(2*hold, firstHold), longestHold)
}

// doubtful reports whether the refusal of k was held off.
func (k *Token) doubtful(slack time.Duration) bool {
	unmet := k.met.IsZero() || !k.met.Add(slack).Before(k.Refused)
	hold := k.hold(slack)
	return hold > 0 && unmet && k.Refused.Sub(k.obtained) <= hold+slack
}
