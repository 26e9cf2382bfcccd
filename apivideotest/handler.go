package apivideotest

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/standin"
)

// Handle adds a handler for requests to the API. Patterns are those of
// [http.ServeMux]. The handler is called for authorized requests only. It takes
// precedence over what the server answers itself.
func (s *Server) Handle(pattern string, handler http.Handler) { s.mux.Handle(pattern, handler) }

// HandleFunc is Handle for a function.
func (s *Server) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	s.mux.HandleFunc(pattern, handler)
}

// ServeHTTP serves the auth operations to everybody, and the API to authorized
// requests.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case s.service.Limit(w, r):
	case standin.IsAuthCall(r):
		s.serveAuth(w, r)
	default:
		s.serveCall(w, r)
	}
}

// serveAuth serves an auth call, with the latency and the fault that the test
// has set.
func (s *Server) serveAuth(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20)) // if it breaks off, what there is is no credential
	r.Body = io.NopCloser(bytes.NewReader(body))
	op := Authenticate
	if strings.HasSuffix(r.URL.Path, "refresh") {
		op = Refresh
	}
	fault, latency, answerLatency := s.beginAuth(op)
	s.wait(r, latency)
	if fault.before != nil && fault.before(s, w, r) {
		return
	}
	answer := httptest.NewRecorder() // sent after the fault
	s.service.ServeAuth(answer, r)
	if fault.after != nil {
		fault.after(s, r)
	}
	s.wait(r, answerLatency)
	send(w, answer)
}

// beginAuth counts an auth call and returns its fault, and how long it takes
// before and after the server acts on it.
func (s *Server) beginAuth(op Op) (fault Fault, latency, answerLatency time.Duration) {
	s.service.CountAuthCall()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(s.faults) > 0:
		fault, s.faults = s.faults[0], s.faults[1:]
	case s.faultOf != nil:
		fault = s.faultOf(op)
	}
	return fault, s.latency, s.answerLatency
}

// serveCall serves a call that is not an auth call, with the fault that the
// test has set.
func (s *Server) serveCall(w http.ResponseWriter, r *http.Request) {
	fault := s.beginCall()
	if fault.before != nil && fault.before(s, w, r) {
		return
	}
	if fault.after == nil {
		s.serveAPI(w, r)
		return
	}
	answer := httptest.NewRecorder() // sent after the fault
	s.serveAPI(answer, r)
	fault.after(s, r)
	send(w, answer)
}

// send sends an answer that was kept.
func send(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes())
}

// beginCall returns the fault of an API call.
func (s *Server) beginCall() (fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.apiFaults) > 0 {
		fault, s.apiFaults = s.apiFaults[0], s.apiFaults[1:]
	}
	return fault
}

// serveAPI serves a request: the test's handler if there is one and the request
// is authorized, else the service. If only other methods are handled, the
// answer names those of both.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	if _, pattern := s.mux.Handler(r); pattern != "" {
		if s.service.Authorize(w, r, false) {
			s.mux.ServeHTTP(w, r)
		}
		return
	}
	mine, theirs := standin.Methods(s.mux, r), s.service.Methods(r)
	if len(mine) == 0 || slices.Contains(theirs, r.Method) {
		s.service.ServeAPI(w, r)
		return
	}
	if s.service.Authorize(w, r, false) {
		standin.NotServed(append(theirs, mine...)).Write(w)
	}
}
