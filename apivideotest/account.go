package apivideotest

import (
	"encoding/base64"
	"encoding/hex"
	"maps"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/internal/problems"
)

// accessToken is the state of an access token that the server issued.
type accessToken struct {
	key    string // the API key that it was issued for
	expiry time.Time
}

// AddKey adds a new API key to the account and returns it. [Server.Config]
// returns it from now on. Earlier keys stay valid until they are deleted.
func (s *Server) AddKey() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newestKey = "made-up-key-" + randomHex(32)
	s.keys[s.newestKey] = true
	return s.newestKey
}

// DeleteKey deletes an API key: the server refuses it from now on. Access
// tokens and the refresh token that were issued for it stay valid. An unknown
// key changes nothing.
func (s *Server) DeleteKey(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, key)
}

// DeleteKeyAndTokens deletes an API key, and all tokens that were issued for
// it. An unknown key changes nothing.
func (s *Server) DeleteKeyAndTokens(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, key)
	maps.DeleteFunc(s.accessTokens, func(_ string, t accessToken) bool { return t.key == key })
	s.endRefreshToken(key)
}

// SetLifetime sets how long the access tokens live that are issued from now
// on. It is rounded up to whole seconds, at least one, since expires_in in the
// answers of the service has no fraction. To end tokens sooner than they say,
// use RevokeAccessTokens.
func (s *Server) SetLifetime(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d = min(d, math.MaxInt64-time.Second) // so that the sum is one too
	s.lifetime = max((d + time.Second - 1).Truncate(time.Second), time.Second)
}

// SetSuspended suspends the account, or ends its suspension. Every call of a
// suspended account is refused.
func (s *Server) SetSuspended(suspended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.suspended = suspended
}

// SetRefusal sets the problem that answers auth calls with a wrong API key or
// refresh token, from now on. The service documents several, and real clients
// must understand them all:
//
//   - [Problem]("authentication-invalid-user-credentials"), with status 400,
//   - Problem("authenticationinvalid_credentials"), the same until 2023,
//   - the zero value, the default: "authentication-invalid-api-key" or
//     "authentication-invalid-refresh-token", with status 401.
func (s *Server) SetRefusal(p apivideo.Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusal = p
}

// RevokeAccessTokens makes every access token that was issued invalid. The
// refresh tokens stay valid.
func (s *Server) RevokeAccessTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.accessTokens)
}

// EndRefreshToken makes the refresh token invalid, as a login by another
// program with the same key does. With several keys it ends one of each.
func (s *Server) EndRefreshToken() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.refreshTokens)
}

// Valid reports whether the server would accept the access token now.
func (s *Server) Valid(accessToken string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.valid(accessToken)
}

// valid is Valid with s.mu held.
func (s *Server) valid(accessToken string) bool {
	return time.Now().Before(s.accessTokens[accessToken].expiry)
}

// issue exchanges a credential for a token. Either operation ends the earlier
// refresh token of the same API key.
func (s *Server) issue(op Op, credential string) (answer map[string]any, refused *apivideo.Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.suspended {
		return nil, problem(problems.SuspendedAccount)
	}
	key, known := s.refreshTokens[credential]
	switch {
	case op == Authenticate && s.keys[credential]:
		key = credential
		s.counters.Authenticated++
	case op == Refresh && known:
		s.counters.Refreshed++
	default:
		s.counters.Refused++
		return nil, s.refusalOf(op)
	}
	now := time.Now()
	maps.DeleteFunc(s.accessTokens, func(_ string, t accessToken) bool { return !now.Before(t.expiry) })
	expiry := now.Add(s.lifetime)
	access, refresh := newAccessToken(expiry), randomHex(700)
	s.accessTokens[access] = accessToken{key, expiry}
	s.endRefreshToken(key)
	s.refreshTokens[refresh] = key
	return map[string]any{
		"token_type":    "Bearer",
		"expires_in":    int64(s.lifetime / time.Second),
		"access_token":  access,
		"refresh_token": refresh,
	}, nil
}

// endRefreshToken makes the refresh token of a key invalid. s.mu is held.
func (s *Server) endRefreshToken(key string) {
	maps.DeleteFunc(s.refreshTokens, func(_, k string) bool { return k == key })
}

// refusalOf is the problem of a wrong credential. s.mu is held.
func (s *Server) refusalOf(op Op) *apivideo.Problem {
	p := s.refusal
	switch {
	case p.Status != 0:
		return &p
	case op == Refresh:
		return problem(problems.InvalidRefreshToken)
	}
	return problem(problems.InvalidAPIKey)
}

func problem(id string) *apivideo.Problem {
	p := Problem(id)
	return &p
}

// newAccessToken makes up a JWT of about the size of a real one. Its signature
// is random.
func newAccessToken(expiry time.Time) string {
	part := base64.RawURLEncoding.EncodeToString
	payload := `{"jti":"` + randomHex(80) + `","exp":` + strconv.FormatInt(expiry.Unix(), 10) + `}`
	return part([]byte(`{"typ":"JWT","alg":"RS256"}`)) + "." + part([]byte(payload)) + "." + part([]byte(randomHex(512)))
}

// randomHex returns n random hexadecimal digits; n is even. They are not from
// crypto/rand, which panics in a bubble of testing/synctest under
// GODEBUG=fips140=on.
func randomHex(n int) string {
	b := make([]byte, n/2)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return hex.EncodeToString(b)
}
