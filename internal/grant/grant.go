// Package grant decodes what the service issues.
package grant

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	// The documented lifetime, for an answer without expires_in.
	defaultLifetime = time.Hour

	maxToken = 16 << 10 // bytes of an access token; real ones have about 1,000

	// MaxSize is how many bytes an answer may have. Real ones have about 2,000.
	MaxSize = 1 << 20
)

// Grant is what the service issued.
type Grant struct {
	AccessToken  string
	RefreshToken string // may be empty
	Lifetime     time.Duration
	Extra        map[string]any // the whole answer
}

// Decode reads an AccessToken of the service. A lifetime of more than longest
// counts as longest. The errors contain no part of data, which may have secrets.
func Decode(data []byte, longest time.Duration) (g Grant, err error) {
	if len(data) > MaxSize {
		return g, fmt.Errorf("it is longer than %d bytes", MaxSize)
	}
	if err := json.Unmarshal(data, &g.Extra); err != nil || g.Extra == nil {
		return g, errors.New("it is not one JSON object")
	}
	if g.AccessToken, err = text(g.Extra, "access_token"); err != nil {
		return g, err
	}
	if err := checkAccessToken(g.AccessToken); err != nil {
		return g, err
	}
	kind, err := text(g.Extra, "token_type")
	if err != nil {
		return g, err
	}
	if kind != "" && !strings.EqualFold(kind, "bearer") {
		return g, errors.New("its token_type is not Bearer")
	}
	g.RefreshToken, _ = text(g.Extra, "refresh_token") // without one, the API key works
	g.Lifetime, err = lifetime(g.Extra, longest)
	return g, err
}

// text returns a string field, or "" if it is missing.
func text(fields map[string]any, name string) (string, error) {
	switch v := fields[name].(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	}
	return "", fmt.Errorf("its %s is not a string", name)
}

// checkAccessToken reports why a token cannot be sent in a header.
func checkAccessToken(token string) error {
	switch {
	case token == "":
		return errors.New("it has no access_token")
	case len(token) > maxToken:
		return fmt.Errorf("its access_token is longer than %d bytes", maxToken)
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r < '!' || r > '~' }) {
		return errors.New("its access_token has characters other than visible ASCII")
	}
	return nil
}

// lifetime reads expires_in: seconds, as a number or a numeric string. If it is
// missing, null or empty, the lifetime is the documented one.
func lifetime(fields map[string]any, longest time.Duration) (time.Duration, error) {
	v := fields["expires_in"]
	seconds, ok := v.(float64)
	if s, isString := v.(string); isString {
		if v = strings.TrimSpace(s); v != "" {
			n, err := strconv.ParseFloat(v.(string), 64)
			seconds, ok = n, err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
		}
	}
	if v == nil || v == "" {
		return defaultLifetime, nil
	}
	if !ok {
		return 0, errors.New("its expires_in is not a number")
	}
	d := time.Duration(min(seconds, longest.Seconds()) * float64(time.Second))
	if d <= 0 {
		return 0, errors.New("its expires_in is not positive")
	}
	return d, nil
}
