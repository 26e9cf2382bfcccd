package proxy

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
)

const (
	// tokenLifetime is the lifetime that clients are told. Their token is
	// valid as long as the secret, and no client should interrupt an upload to
	// get another token.
	tokenLifetime = 24 * time.Hour
	maxAuthBody   = 64 << 10 // bytes
)

// credentials are what the proxy takes from its clients.
type credentials struct {
	secret       string
	accessToken  string
	refreshToken string
}

// derive makes the tokens from the secret. If the proxy restarts with the same
// secret, clients need not log in again.
func derive(secret string) (credentials, error) {
	if secret == "" {
		return credentials{}, errors.New("the secret is empty")
	}
	access, err1 := hkdf.Key(sha256.New, []byte(secret), nil, "apivideo-token proxy access token", 32)
	refresh, err2 := hkdf.Key(sha256.New, []byte(secret), nil, "apivideo-token proxy refresh token", 32)
	return credentials{secret, hex.EncodeToString(access), hex.EncodeToString(refresh)}, errors.Join(err1, err2)
}

// same compares in a time that depends on neither value.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// check returns the identifier of the problem with a request's credential, ""
// if there is none.
func (c credentials) check(r *http.Request) string {
	header := r.Header.Get("Authorization")
	scheme, token, _ := strings.Cut(header, " ")
	bearer := strings.EqualFold(scheme, "Bearer")
	user, _, basic := r.BasicAuth()
	switch {
	case header == "":
		return "authentication-missing-authorization-header"
	case basic && !same(user, c.secret):
		return "authentication-invalid-api-key"
	case bearer && !same(token, c.accessToken):
		return "authentication-invalid-access-token"
	case !basic && !bearer:
		return "authentication-invalid-authorization-header-value"
	}
	return ""
}

// authOperation is an auth operation of the service.
type authOperation struct {
	field   string
	wanted  func(credentials) string
	invalid string // the problem of another value
}

var authOperations = map[string]authOperation{
	"/auth/api-key": {"apiKey", func(c credentials) string { return c.secret }, "authentication-invalid-api-key"},
	"/auth/refresh": {"refreshToken", func(c credentials) string { return c.refreshToken }, "authentication-invalid-refresh-token"},
}

// serveAuth answers an auth operation with a token of the proxy.
func (c credentials) serveAuth(w http.ResponseWriter, r *http.Request, op authOperation) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		writeOwn(w, http.StatusMethodNotAllowed, "method", "The method must be POST.")
		return
	}
	var body map[string]any
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAuthBody)).Decode(&body)
	sent, ok := body[op.field].(string)
	switch {
	case err != nil || !ok:
		writeKnown(w, "payload-is-invalid")
	case !same(sent, op.wanted(c)):
		writeKnown(w, op.invalid)
	default:
		writeJSON(w, "application/json", http.StatusOK, map[string]any{
			"token_type":    "Bearer",
			"expires_in":    int(tokenLifetime.Seconds()),
			"access_token":  c.accessToken,
			"refresh_token": c.refreshToken,
		})
	}
}
