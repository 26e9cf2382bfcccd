package apivideotest

import (
	"io"
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

// Limits are rate limits: how many calls of each kind the service serves a
// minute. A kind with 0 is not limited.
type Limits struct {
	Reads   int // GET and HEAD
	Writes  int
	Uploads int
}

// The limits that the service documents for its two environments.
var (
	SandboxLimits    = Limits{Reads: 100, Writes: 40, Uploads: 40}
	ProductionLimits = Limits{Reads: 500, Writes: 200, Uploads: 100}
)

// SetRateLimits enforces limits from now on: further calls get a 429 until the
// minute is over. The zero Limits, the default, enforces none. Auth calls are
// never limited. Every answer has the rate-limit headers, in any case.
func (s *Server) SetRateLimits(l Limits) { s.service.SetLimits(standin.Limits(l)) }

// IssueUploadToken returns a new token for delegated uploads. With it, a client
// may call POST /upload?token=… without authorization. The token expires after
// ttl, or never if ttl is 0.
func (s *Server) IssueUploadToken(ttl time.Duration) string { return s.service.IssueUploadToken(ttl) }

// RevokeUploadToken makes an upload token invalid. An unknown token changes
// nothing.
func (s *Server) RevokeUploadToken(token string) { s.service.RevokeUploadToken(token) }

// UploadedFile returns a copy of the file that was uploaded to a video. It is
// nil until all parts have arrived, and if there is no such video.
func (s *Server) UploadedFile(videoID string) []byte {
	blob := s.service.UploadedFile(videoID)
	if blob == nil {
		return nil
	}
	content, err := blob.Open()
	if err != nil {
		return nil
	}
	defer content.Close()
	data, _ := io.ReadAll(content)
	return data
}
