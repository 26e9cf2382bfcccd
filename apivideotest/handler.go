package apivideotest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/internal/problems"
)

const (
	rateLimit  = 40 // calls a minute, announced but not enforced; the sandbox's for writes
	rateWindow = time.Minute
)

// ServeHTTP serves the auth operations, and the handlers of the test behind a
// check of the access token.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.announceRate(w)
	switch r.URL.Path {
	case "/auth/api-key":
		s.serveAuth(w, r, Authenticate)
	case "/auth/refresh":
		s.serveAuth(w, r, Refresh)
	default:
		if s.authorize(w, r) {
			s.serveAPI(w, r)
		}
	}
}

// announceRate sets the headers that the service sends with every answer.
func (s *Server) announceRate(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if now.Sub(s.window) >= rateWindow {
		s.window, s.calls = now, 0
	}
	s.calls++
	reset := s.window.Add(rateWindow).Sub(now)
	w.Header().Set("X-RateLimit-Limit", strconv.Itoa(rateLimit))
	w.Header().Set("X-RateLimit-Remaining", strconv.Itoa(max(rateLimit-s.calls, 0)))
	w.Header().Set("X-RateLimit-Retry-After", strconv.Itoa(int(reset.Seconds())))
}

// serveAuth serves one auth operation, with the latency and the fault that the
// test has set.
func (s *Server) serveAuth(w http.ResponseWriter, r *http.Request, op Op) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		WriteProblem(w, apivideo.Problem{Title: "Method not allowed.", Status: http.StatusMethodNotAllowed})
		return
	}
	credential, ok := readCredential(r, op)
	fault, latency, answerLatency := s.beginAuth(op)
	s.wait(r, latency)
	if fault.before != nil && fault.before(s, w, r) {
		return
	}
	if !ok {
		WriteProblem(w, Problem(problems.InvalidPayload))
		return
	}
	answer, problem := s.issue(op, credential)
	if fault.after != nil {
		fault.after(s, r)
	}
	s.wait(r, answerLatency)
	if problem != nil {
		WriteProblem(w, *problem)
		return
	}
	writeJSON(w, "application/json", http.StatusOK, answer)
}

// beginAuth counts an auth call and returns its fault, and how long it takes
// before and after the server acts on it.
func (s *Server) beginAuth(op Op) (fault Fault, latency, answerLatency time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counters.AuthCalls++
	switch {
	case len(s.faults) > 0:
		fault, s.faults = s.faults[0], s.faults[1:]
	case s.faultOf != nil:
		fault = s.faultOf(op)
	}
	return fault, s.latency, s.answerLatency
}

// readCredential reads the API key or refresh token of an auth call.
func readCredential(r *http.Request, op Op) (string, bool) {
	data, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	var fields map[string]string
	if err != nil || json.Unmarshal(data, &fields) != nil {
		return "", false
	}
	credential := fields[op.field()]
	return credential, credential != ""
}

// issue trades a credential for a token. Either way of doing so ends the
// earlier refresh token.
func (s *Server) issue(op Op, credential string) (answer map[string]any, problem *apivideo.Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.suspended {
		return nil, refusal(problems.SuspendedAccount)
	}
	switch {
	case op == Authenticate && credential == s.apiKey:
		s.counters.Authenticated++
	case op == Refresh && credential == s.refreshToken:
		s.counters.Refreshed++
	case op == Authenticate:
		s.counters.Refused++
		return nil, refusal(problems.InvalidAPIKey)
	default:
		s.counters.Refused++
		return nil, refusal(problems.InvalidRefreshToken)
	}
	now := time.Now()
	maps.DeleteFunc(s.accessTokens, func(_ string, expiry time.Time) bool { return !now.Before(expiry) })
	token := newAccessToken(now.Add(s.lifetime))
	s.accessTokens[token] = now.Add(s.lifetime)
	s.refreshToken = randomHex(700)
	return map[string]any{
		"token_type":    "Bearer",
		"expires_in":    s.lifetime.Seconds(),
		"access_token":  token,
		"refresh_token": s.refreshToken,
	}, nil
}

func refusal(id string) *apivideo.Problem {
	p := Problem(id)
	return &p
}

// authorize checks the access token of a request and counts the request. It
// writes the answer if the request may not go on.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) bool {
	header := r.Header.Get("Authorization")
	token, bearer := strings.CutPrefix(header, "Bearer ")
	valid := s.Valid(token)
	s.mu.Lock()
	defer s.mu.Unlock()
	id := ""
	switch {
	case header == "":
		id = problems.MissingAuthorization
	case !bearer:
		id = problems.InvalidAuthorization
	case s.suspended:
		id = problems.SuspendedAccount
	case !valid:
		id = problems.InvalidAccessToken
	default:
		s.counters.Authorized++
		return true
	}
	s.counters.Unauthorized++
	WriteProblem(w, Problem(id))
	return false
}

// serveAPI calls the handler of the test.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	h, pattern := s.mux.Handler(r)
	if pattern != "" {
		s.mux.ServeHTTP(w, r)
		return
	}
	none := httptest.NewRecorder() // 404, or 405 with the methods there are
	h.ServeHTTP(none, r)
	for _, allow := range none.Header()["Allow"] {
		w.Header().Add("Allow", allow)
	}
	WriteProblem(w, apivideo.Problem{Title: http.StatusText(none.Code), Status: none.Code})
}

// newAccessToken makes up a JWT of about the size of a real one. Its signature
// is random.
func newAccessToken(expiry time.Time) string {
	part := base64.RawURLEncoding.EncodeToString
	payload := `{"jti":"` + randomHex(80) + `","exp":` + strconv.FormatInt(expiry.Unix(), 10) + `}`
	return part([]byte(`{"typ":"JWT","alg":"RS256"}`)) + "." + part([]byte(payload)) + "." + part([]byte(randomHex(512)))
}

// randomHex returns n random hexadecimal digits; n is even.
func randomHex(n int) string {
	b := make([]byte, n/2)
	rand.Read(b)
	return hex.EncodeToString(b)
}
