package apivideotest

import (
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
