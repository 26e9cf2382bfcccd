package apivideotest

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/problems"
)

// IssueUploadToken returns a new token for delegated uploads. With it, a client
// may call POST /upload?token=… without authorization. The token expires after
// ttl, or never if ttl is 0.
func (s *Server) IssueUploadToken(ttl time.Duration) string {
	token := "to-made-up-" + randomHex(16)
	var expiry time.Time
	if ttl > 0 {
		expiry = time.Now().Add(ttl)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uploadTokens[token] = expiry
	return token
}

// RevokeUploadToken makes an upload token invalid. An unknown token changes
// nothing.
func (s *Server) RevokeUploadToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.uploadTokens, token)
}

// checkUploadToken returns the identifier of the problem with an upload token,
// "" if there is none. s.mu is held.
func (s *Server) checkUploadToken(token string) (id string) {
	expiry, known := s.uploadTokens[token]
	switch {
	case token == "":
		return problems.MissingUploadToken
	case !known, !expiry.IsZero() && !time.Now().Before(expiry):
		return problems.InvalidUploadToken
	case s.suspended:
		return problems.SuspendedAccount
	}
	return ""
}

// createUploadToken is POST /upload-tokens.
func (s *Server) createUploadToken(w http.ResponseWriter, r *http.Request) {
	var in struct {
		TTL int `json:"ttl"` // in seconds
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.TTL < 0 {
		WriteProblem(w, invalid(problems.InvalidPayload, "ttl"))
		return
	}
	now := time.Now().UTC().Truncate(time.Second)
	ttl := time.Duration(in.TTL) * time.Second
	out := map[string]any{"token": s.IssueUploadToken(ttl), "ttl": in.TTL, "createdAt": now}
	if ttl > 0 {
		out["expiresAt"] = now.Add(ttl)
	}
	writeJSON(w, "application/json", http.StatusCreated, out)
}

// deleteUploadToken is DELETE /upload-tokens/{token}.
func (s *Server) deleteUploadToken(w http.ResponseWriter, r *http.Request) {
	s.RevokeUploadToken(r.PathValue("token"))
	w.WriteHeader(http.StatusNoContent)
}
