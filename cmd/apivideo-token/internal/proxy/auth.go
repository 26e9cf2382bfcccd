package proxy

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
)

const (
	// tokenLifetime is how long the proxy's tokens of both kinds are valid, as
	// long as the service's.
	tokenLifetime = time.Hour
	maxAuthBody   = 64 << 10 // bytes
)

// credentials are what the proxy takes from its clients.
type credentials struct {
	secret       string
	access, next kind
}

// kind makes access or refresh tokens: the time when they expire, signed. If the
// proxy restarts with the same secret, they are still valid.
type kind struct{ key []byte }

func derive(secret string) (credentials, error) {
	if secret == "" {
		return credentials{}, errors.New("the secret is empty")
	}
	access, err1 := hkdf.Key(sha256.New, []byte(secret), nil, "apivideo-token proxy access token", sha256.Size)
	refresh, err2 := hkdf.Key(sha256.New, []byte(secret), nil, "apivideo-token proxy refresh token", sha256.Size)
	return credentials{secret, kind{access}, kind{refresh}}, errors.Join(err1, err2)
}

// token returns a token that expires at a time.
func (k kind) token(expiry time.Time) string {
	text := binary.BigEndian.AppendUint64(nil, uint64(expiry.Unix()))
	mac := hmac.New(sha256.New, k.key)
	mac.Write(text)
	return hex.EncodeToString(mac.Sum(text))
}

// accepts reports whether token is one of k, and has not expired.
func (k kind) accepts(token string) bool {
	text, err := hex.DecodeString(token)
	if err != nil || len(text) < 8 {
		return false
	}
	expiry := time.Unix(int64(binary.BigEndian.Uint64(text)), 0)
	return same(token, k.token(expiry)) && time.Now().Before(expiry)
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
	case bearer && !c.access.accepts(token):
		return "authentication-invalid-access-token"
	case !basic && !bearer:
		return "authentication-invalid-authorization-header-value"
	}
	return ""
}

// authOperation is an auth operation of the service.
type authOperation struct {
	field   string
	accepts func(credentials, string) bool
	invalid string // the problem of another value
}

var authOperations = map[string]authOperation{
	"/auth/api-key": {"apiKey", func(c credentials, sent string) bool { return same(sent, c.secret) }, "authentication-invalid-api-key"},
	"/auth/refresh": {"refreshToken", func(c credentials, sent string) bool { return c.next.accepts(sent) }, "authentication-invalid-refresh-token"},
}

// serveAuth answers an auth operation: with a token of the proxy, or as the
// service answers the proxy.
func (p *Proxy) serveAuth(w http.ResponseWriter, r *http.Request, op authOperation) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		WriteOwn(w, http.StatusMethodNotAllowed, "method", "The method must be POST.")
		return
	}
	var body map[string]any
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAuthBody)).Decode(&body)
	sent, ok := body[op.field].(string)
	c := *p.credentials.Load()
	switch {
	case err != nil || !ok:
		writeKnown(w, "payload-is-invalid")
		return
	case !op.accepts(c, sent):
		writeKnown(w, op.invalid)
		return
	}
	p.trust(r)
	setDeadlines(http.NewResponseController(w), time.Time{})
	if err := p.loginFailure(r.Context()); err != nil {
		p.writeAuthFailure(w, err)
		return
	}
	expiry := time.Now().Add(tokenLifetime)
	writeJSON(w, "application/json", http.StatusOK, map[string]any{
		"token_type":    "Bearer",
		"expires_in":    int(tokenLifetime.Seconds()),
		"access_token":  c.access.token(expiry),
		"refresh_token": c.next.token(expiry),
	})
}
