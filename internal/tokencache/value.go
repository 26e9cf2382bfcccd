package tokencache

import (
	"encoding/json"
	"maps"
	"time"
)

// value is the plain text of what the Store keeps.
type value struct {
	Issued       time.Time      `json:"issued"`
	Lifetime     time.Duration  `json:"lifetime"` // nanoseconds
	AccessToken  string         `json:"access_token"`
	RefreshToken string         `json:"refresh_token,omitempty"`
	Extra        map[string]any `json:"extra,omitempty"` // without the tokens
}

// seal returns the value that the Store keeps of t.
func (c *Cache) seal(t *Token) ([]byte, error) {
	extra := maps.Clone(t.Extra)
	delete(extra, "access_token")
	delete(extra, "refresh_token")
	plain, err := json.Marshal(value{t.Issued, t.Lifetime, t.AccessToken, t.RefreshToken, extra})
	if err != nil {
		return nil, err
	}
	return c.box.Seal(plain), nil
}

// open returns the token of a sealed value, or nil if this package did not
// seal it for this account. By the time on this machine the token expires no
// later than its lifetime from now, whatever the clock said where it was
// sealed.
func (c *Cache) open(sealed []byte, now time.Time) *Token {
	plain := c.box.Open(sealed)
	var v value
	if plain == nil || json.Unmarshal(plain, &v) != nil {
		return nil
	}
	remaining := min(v.Issued.Add(v.Lifetime).Sub(now), v.Lifetime)
	if remaining <= 0 {
		// It was left behind, or put back: its refresh token is likely spent.
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
	t.shared = true
	return t
}
