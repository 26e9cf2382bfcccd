package standin

import (
	"encoding/base64"
	"encoding/hex"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/problems"
)

// Lifetime is how long an access token lives, as the service documents it.
const Lifetime = time.Hour

// The paths of the auth operations.
const (
	authenticatePath = "/auth/api-key"
	refreshPath      = "/auth/refresh"
)

// accessToken is the state of an access token that was issued.
type accessToken struct {
	key    string // the API key that it was issued for
	expiry time.Time
}

// Account has API keys and the tokens that were issued for them. All methods
// are safe for concurrent use.
type Account struct {
	secret func(string) // is called with each key and token

	mu            sync.Mutex // guards what follows
	newestKey     string
	keys          map[string]bool        // the valid API keys
	accessTokens  map[string]accessToken // by their text
	refreshTokens map[string]string      // the API key of each, one at most for a key
	lifetime      time.Duration
	suspended     bool
	refusal       *Problem // of a wrong credential; nil for the default
	counters      Counters
}

// Counters count the calls and requests.
type Counters struct {
	AuthCalls     int // all calls of the two auth operations, failed ones included
	Authenticated int // tokens issued for the API key
	Refreshed     int // tokens issued for a refresh token
	Refused       int // auth calls with a wrong API key or refresh token
	Authorized    int // other requests with a valid access token or API key
	Delegated     int // uploads with a valid upload token
	Unauthorized  int // other requests without one of these
	Limited       int // requests beyond the rate limits
}

// count changes the counters.
func (a *Account) count(change func(*Counters)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.counters)
}

// CountAuthCall counts a call of an auth operation.
func (a *Account) CountAuthCall() { a.count(func(c *Counters) { c.AuthCalls++ }) }

// Counters returns the counts so far.
func (a *Account) Counters() Counters {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.counters
}

// Key returns the API key that was added last, deleted or not.
func (a *Account) Key() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.newestKey
}

// AddKey adds an API key. Earlier ones stay valid until they are deleted.
func (a *Account) AddKey(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.newestKey, a.keys[key] = key, true
	a.secret(key)
}

// DeleteKey deletes an API key, and on demand all tokens that were issued for
// it. It returns false if there is no such key.
func (a *Account) DeleteKey(key string, tokens bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.keys[key]
	delete(a.keys, key)
	if tokens {
		maps.DeleteFunc(a.accessTokens, func(_ string, t accessToken) bool { return t.key == key })
		a.endRefreshToken(key)
	}
	return known
}

// SetLifetime sets how long the access tokens live that are issued from now
// on: whole seconds, rounded up, at least one.
func (a *Account) SetLifetime(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	d = min(d, math.MaxInt64-time.Second) // so that the sum is one too
	a.lifetime = max((d + time.Second - 1).Truncate(time.Second), time.Second)
}

// SetSuspended suspends the account, or ends its suspension.
func (a *Account) SetSuspended(suspended bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.suspended = suspended
}

// SetRefusal sets the problem that answers auth calls with a wrong credential;
// nil for the default.
func (a *Account) SetRefusal(p *Problem) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refusal = p
}

// RevokeAccessTokens makes every access token that was issued invalid.
func (a *Account) RevokeAccessTokens() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.accessTokens)
}

// EndRefreshTokens makes every refresh token invalid.
func (a *Account) EndRefreshTokens() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.refreshTokens)
}

// Valid reports whether an access token would be accepted now.
func (a *Account) Valid(token string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.valid(token)
}

// valid is Valid with a.mu held.
func (a *Account) valid(token string) bool { return time.Now().Before(a.accessTokens[token].expiry) }

// issue exchanges a credential for a token. Either operation ends the earlier
// refresh token of the same API key.
func (a *Account) issue(path, credential string) (answer fields, refused *Problem) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.suspended {
		return nil, only(documented(problems.SuspendedAccount))
	}
	key, known := a.refreshTokens[credential]
	switch {
	case path == authenticatePath && a.keys[credential]:
		key = credential
		a.counters.Authenticated++
	case path == refreshPath && known:
		a.counters.Refreshed++
	default:
		a.counters.Refused++
		return nil, a.refusalOf(path)
	}
	now := time.Now()
	maps.DeleteFunc(a.accessTokens, func(_ string, t accessToken) bool { return !now.Before(t.expiry) })
	expiry := now.Add(a.lifetime)
	access, refresh := newAccessToken(expiry), RandomHex(700)
	a.accessTokens[access] = accessToken{key, expiry}
	a.endRefreshToken(key)
	a.refreshTokens[refresh] = key
	a.secret(access)
	a.secret(refresh)
	return fields{
		{"token_type", "Bearer"},
		{"expires_in", int64(a.lifetime / time.Second)},
		{"access_token", access},
		{"refresh_token", refresh},
	}, nil
}

// endRefreshToken makes the refresh token of a key invalid. a.mu is held.
func (a *Account) endRefreshToken(key string) {
	maps.DeleteFunc(a.refreshTokens, func(_, k string) bool { return k == key })
}

// refusalOf is the problem of a wrong credential. a.mu is held.
func (a *Account) refusalOf(path string) *Problem {
	id := problems.InvalidAPIKey
	switch {
	case a.refusal != nil:
		return a.refusal
	case path == refreshPath:
		id = problems.InvalidRefreshToken
	}
	return only(documented(id))
}

// authorization returns the identifier of the problem with a request's
// Authorization, "" if there is none.
func (a *Account) authorization(r *http.Request) (id string) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return problems.MissingAuthorization
	}
	scheme, token, _ := strings.Cut(header, " ")
	key, password, basic := r.BasicAuth()
	a.mu.Lock()
	defer a.mu.Unlock()
	switch bearer := strings.EqualFold(scheme, "Bearer"); {
	case !bearer && (!basic || password != ""):
		return problems.InvalidAuthorization
	case a.suspended:
		return problems.SuspendedAccount
	case bearer && !a.valid(token):
		return problems.InvalidAccessToken
	case basic && !a.keys[key]:
		return problems.InvalidAPIKey
	}
	return ""
}

// newAccessToken makes up a JWT of about the size of a real one. Its signature
// is random.
func newAccessToken(expiry time.Time) string {
	part := base64.RawURLEncoding.EncodeToString
	claims := `{"jti":"` + RandomHex(80) + `","exp":` + strconv.FormatInt(expiry.Unix(), 10) + `}`
	return part([]byte(`{"typ":"JWT","alg":"RS256"}`)) + "." + part([]byte(claims)) + "." + part([]byte(RandomHex(512)))
}

// RandomHex returns n random hexadecimal digits; n is even. They are not from
// crypto/rand, which panics in a bubble of testing/synctest under
// GODEBUG=fips140=on.
func RandomHex(n int) string {
	b := make([]byte, n/2)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return hex.EncodeToString(b)
}
