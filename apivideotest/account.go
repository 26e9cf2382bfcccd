package apivideotest

import (
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/internal/standin"
)

// AddKey adds a new API key to the account and returns it. [Server.Config]
// returns it from now on. Earlier keys stay valid until they are deleted.
func (s *Server) AddKey() string {
	key := "made-up-key-" + standin.RandomHex(32)
	s.service.AddKey(key)
	return key
}

// DeleteKey deletes an API key: the server refuses it from now on. Access
// tokens and the refresh token that were issued for it stay valid. An unknown
// key changes nothing.
func (s *Server) DeleteKey(key string) { s.service.DeleteKey(key, false) }

// DeleteKeyAndTokens deletes an API key, and all tokens that were issued for
// it. An unknown key changes nothing.
func (s *Server) DeleteKeyAndTokens(key string) { s.service.DeleteKey(key, true) }

// SetLifetime sets how long the access tokens live that are issued from now
// on. It is rounded up to whole seconds, at least one, since expires_in in the
// answers of the service has no fraction. To end tokens sooner than they say,
// use RevokeAccessTokens.
func (s *Server) SetLifetime(d time.Duration) { s.service.SetLifetime(d) }

// SetSuspended suspends the account, or ends its suspension. Every call of a
// suspended account is refused.
func (s *Server) SetSuspended(suspended bool) { s.service.SetSuspended(suspended) }

// SetRefusal sets the problem that answers auth calls with a wrong API key or
// refresh token, from now on. The service documents several, and real clients
// must understand them all:
//
//   - [Problem]("authentication-invalid-user-credentials"), with status 400,
//   - Problem("authenticationinvalid_credentials"), the same until 2023,
//   - the zero value, the default: "authentication-invalid-api-key" or
//     "authentication-invalid-refresh-token", with status 401.
func (s *Server) SetRefusal(p apivideo.Problem) {
	if p.Status == 0 {
		s.service.SetRefusal(nil)
		return
	}
	refusal := standin.Problem{Type: p.Type, Title: p.Title, Name: p.Name, Status: p.Status}
	for _, inner := range p.Problems {
		refusal.Problems = append(refusal.Problems, standin.Problem{Type: inner.Type, Title: inner.Title, Name: inner.Name, Status: inner.Status})
	}
	s.service.SetRefusal(&refusal)
}

// RevokeAccessTokens makes every access token that was issued invalid. The
// refresh tokens stay valid.
func (s *Server) RevokeAccessTokens() { s.service.RevokeAccessTokens() }

// EndRefreshToken makes the refresh token invalid, as a login by another
// program with the same key does. With several keys it ends one of each.
func (s *Server) EndRefreshToken() { s.service.EndRefreshTokens() }

// Valid reports whether the server would accept the access token now.
func (s *Server) Valid(accessToken string) bool { return s.service.Valid(accessToken) }
