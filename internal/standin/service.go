// Package standin is the api.video service as programs see it: the account and
// its tokens, and all operations of the API over what clients created. Package
// apivideotest and the command apivideo-standin serve it.
//
// The operations are data: [resources] is the table, and one handler reads it.
package standin

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/problems"
)

// maxJSON is the longest JSON body, in bytes.
const maxJSON = 4 << 20

// Service is a service with one account. All methods are safe for concurrent
// use.
type Service struct {
	Account
	rates rates
	api   api
}

// New returns a Service without API keys. keep stores what is uploaded; if it
// is nil, uploads are only counted. secret is called with each key and token; it
// may be nil.
func New(keep Keeper, secret func(string)) *Service {
	if secret == nil {
		secret = func(string) {}
	}
	s := &Service{
		Account: Account{
			keys:          make(map[string]bool),
			accessTokens:  make(map[string]accessToken),
			refreshTokens: make(map[string]string),
			lifetime:      Lifetime,
			secret:        secret,
		},
		api: api{keep: keep, secret: secret, collections: make(map[string]*collection), mux: http.NewServeMux()},
	}
	s.api.register()
	return s
}

// IsAuthCall reports whether a request is a call of an auth operation.
func IsAuthCall(r *http.Request) bool { return r.Method == http.MethodPost && isAuthPath(r) }

func isAuthPath(r *http.Request) bool {
	return r.URL.Path == authenticatePath || r.URL.Path == refreshPath
}

// ServeHTTP serves the auth operations to everybody, and the API to authorized
// requests.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.Limit(w, r) {
		return
	}
	if IsAuthCall(r) {
		s.CountAuthCall()
		s.ServeAuth(w, r)
		return
	}
	s.ServeAPI(w, r)
}

// ServeAuth serves a call of an auth operation. It does not count the call.
func (s *Service) ServeAuth(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(io.LimitReader(r.Body, maxJSON))
	name := "apiKey"
	if r.URL.Path == refreshPath {
		name = "refreshToken"
	}
	var sent payload
	if err == nil {
		err = json.Unmarshal(data, &sent)
	}
	credential, _ := sent[name].(string)
	if err != nil || credential == "" {
		only(documented(problems.InvalidPayload)).Write(w)
		return
	}
	answer, refused := s.issue(r.URL.Path, credential)
	if refused != nil {
		refused.Write(w)
		return
	}
	writeJSON(w, "application/json", http.StatusOK, answer)
}

// ServeAPI serves a request that is no auth call: an asset to everybody,
// the API to authorized requests.
func (s *Service) ServeAPI(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, assetsPath):
		s.api.ServeHTTP(w, r)
	case isAuthPath(r):
		NotServed(s.Methods(r)).Write(w)
	case s.Authorize(w, r, true):
		s.api.ServeHTTP(w, r)
	}
}

// Authorize reports whether a request is authorized, and counts it. If not, it
// writes the answer. With strict, a delegated upload needs an upload token, and
// no other authorization replaces it.
func (s *Service) Authorize(w http.ResponseWriter, r *http.Request, strict bool) bool {
	id, delegated := "", r.Method == http.MethodPost && r.URL.Path == "/upload"
	if delegated {
		id = s.uploadToken(r.URL.Query().Get("token"))
		delegated = strict || id == ""
	}
	if !delegated {
		id = s.authorization(r)
	}
	s.count(func(c *Counters) {
		switch {
		case id != "":
			c.Unauthorized++
		case delegated:
			c.Delegated++
		default:
			c.Authorized++
		}
	})
	if id != "" {
		only(documented(id)).Write(w)
	}
	return id == ""
}

// uploadToken returns the identifier of the problem with an upload token, ""
// if there is none.
func (s *Service) uploadToken(token string) (id string) {
	s.mu.Lock()
	suspended := s.suspended
	s.mu.Unlock()
	switch {
	case token == "":
		return problems.MissingUploadToken
	case s.api.find("upload-tokens", token) == nil:
		return problems.InvalidUploadToken
	case suspended:
		return problems.SuspendedAccount
	}
	return ""
}

// IssueUploadToken returns a new token for delegated uploads. It expires after
// ttl, or never if ttl is 0.
func (s *Service) IssueUploadToken(ttl time.Duration) string {
	r := resource("upload-tokens")
	values := defaults(r.Fields)
	values["ttl"] = int64(ttl / time.Second)
	return s.api.add(r, nil, "", values, ttl).id
}

// RevokeUploadToken makes an upload token invalid. An unknown token changes
// nothing.
func (s *Service) RevokeUploadToken(token string) { s.api.remove(resource("upload-tokens"), token) }

// Methods returns the methods that a mux serves at the path of a request.
func Methods(mux *http.ServeMux, r *http.Request) (methods []string) {
	for _, method := range []string{"DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"} {
		other := *r
		other.Method = method
		if _, pattern := mux.Handler(&other); pattern != "" {
			methods = append(methods, method)
		}
	}
	return methods
}

// Methods returns the methods that are served at the path of a request.
func (s *Service) Methods(r *http.Request) []string {
	if isAuthPath(r) {
		return []string{http.MethodPost}
	}
	return Methods(s.api.mux, r)
}

// notServed is the answer to a request that nothing serves.
type notServed []string

// NotServed is the answer to a request that nothing serves: with 405 if other
// methods are served there, else with 404.
func NotServed(methods []string) notServed { return slices.Sorted(slices.Values(methods)) }

// Write writes the answer.
func (methods notServed) Write(w http.ResponseWriter) {
	id := problems.UnrecognizedURL
	if len(methods) > 0 {
		id = problems.MethodNotAllowed
		w.Header().Set("Allow", strings.Join(slices.Compact(methods), ", "))
	}
	only(documented(id)).Write(w)
}
