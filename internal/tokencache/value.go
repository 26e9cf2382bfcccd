package tokencache

import (
	"encoding/json"
	"maps"
	"time"
)

const (
	// maxValue is the limit of a value in bytes: Stores accept 64 KiB. A longer
	// one is stored without Extra, then without the failure too, then without
	// the refresh token too.
	maxValue = 60 << 10
	// A value issued later than this from now comes from a wrong clock.
	maxSkew = time.Hour
)

// value is the content of a sealed value in the Store.
type value struct {
	Issued       time.Time      `json:"issued"`
	Lifetime     time.Duration  `json:"lifetime"` // nanoseconds
	AccessToken  string         `json:"access_token"`
	RefreshToken string         `json:"refresh_token,omitempty"`
	Extra        map[string]any `json:"extra,omitempty"`    // without the tokens
	Replaces     fingerprint    `json:"replaces,omitempty"` // the token that the API had refused when this one was requested
	Failure      *record        `json:"failure,omitempty"`  // of the latest renewal
}

// content is a decoded value of the Store. Either part may be nil.
type content struct {
	token   *Token
	failure *failure
}

// seal encodes and encrypts a value for the Store. After a failure it leaves out
// the refresh token if the flight has spent it.
func (c *Cache) seal(f *flight, h content) ([]byte, error) {
	var v value
	if t := h.token; t != nil {
		extra := maps.Clone(t.Extra)
		delete(extra, "access_token")
		delete(extra, "refresh_token")
		v = value{t.Issued, t.Lifetime, t.AccessToken, t.RefreshToken, extra, t.replaces, nil}
	}
	if h.failure != nil {
		c.do(func(s *state) {
			if v.RefreshToken == s.of(f).spent {
				v.RefreshToken = ""
			}
		})
		v.Failure = &record{h.failure.at, h.failure.wait, h.failure.count, prompt(nil, func() []byte { return c.issuer.Encode(h.failure.err) })}
	}
	plain, err := json.Marshal(v)
	for _, drop := range []func(){
		func() { v.Extra = nil },
		func() { v.Failure = nil },
		func() { v.RefreshToken = "" },
	} {
		if err != nil || len(plain) <= maxValue {
			break
		}
		drop()
		plain, err = json.Marshal(v)
	}
	if err != nil {
		return nil, err
	}
	return f.account.Box.Seal(plain), nil
}

// open decrypts and decodes a sealed value. It returns nothing if the value was
// modified, or belongs to another account. Clocks of other machines may be
// wrong: the token expires at most its lifetime from now.
func (c *Cache) open(a *Account, sealed []byte, now time.Time) (h content) {
	plain := a.Box.Open(sealed)
	var v value
	if plain == nil || json.Unmarshal(plain, &v) != nil {
		return content{}
	}
	if v.Failure != nil {
		err := prompt(nil, func() error { return c.issuer.Decode(v.Failure.Error) })
		h.failure = &failure{
			err: err, why: c.explain(err), other: true,
			at: v.Failure.At, wait: v.Failure.Wait, count: v.Failure.Count,
		}
	}
	if v.AccessToken == "" {
		return h
	}
	remaining := min(v.Issued.Add(v.Lifetime).Sub(now), v.Lifetime)
	if v.Issued.Sub(now) > maxSkew {
		remaining = 0
	}
	if remaining <= 0 {
		// The value is old: another process has probably used its refresh token.
		v.RefreshToken = ""
	}
	if v.Extra == nil {
		v.Extra = make(map[string]any)
	}
	v.Extra["access_token"] = v.AccessToken
	if v.RefreshToken != "" {
		v.Extra["refresh_token"] = v.RefreshToken
	}
	t := newToken(Grant{v.AccessToken, v.RefreshToken, v.Lifetime, v.Extra}, v.Issued, remaining, now)
	t.shared, t.Account, t.replaces = true, a, v.Replaces
	h.token = t
	return h
}
