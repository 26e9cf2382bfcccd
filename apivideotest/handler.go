package apivideotest

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/apivideo/api.video-go-oauth2/internal/problems"
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
	if !s.countRate(w, r) {
		return
	}
	switch r.URL.Path {
	case "/auth/api-key":
		s.serveAuth(w, r, Authenticate)
	case "/auth/refresh":
		s.serveAuth(w, r, Refresh)
	default:
		s.serveCall(w, r)
	}
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

// serveAPI authorizes a request and calls its handler: the test's, else the
// server's own.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	mux := s.mux
	if _, pattern := mux.Handler(r); pattern == "" {
		mux = s.own
	}
	if !s.authorize(w, r, mux) {
		return
	}
	if _, pattern := mux.Handler(r); pattern == "" {
		s.serveNothing(w, r)
		return
	}
	mux.ServeHTTP(w, r)
}

// serveNothing answers a request that nothing handles: with 405 and the methods
// that are handled, if there are any, else with 404.
func (s *Server) serveNothing(w http.ResponseWriter, r *http.Request) {
	id := problems.UnrecognizedURL
	for _, mux := range []*http.ServeMux{s.mux, s.own} {
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, r)
		for _, allow := range answer.Header()["Allow"] {
			id = problems.MethodNotAllowed
			w.Header().Add("Allow", allow)
		}
	}
	WriteProblem(w, Problem(id))
}

// authorize reports whether a request is authorized, and counts it. If not, it
// writes the answer.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request, mux *http.ServeMux) bool {
	id := s.admit(r, mux == s.own)
	if id != "" {
		WriteProblem(w, Problem(id))
	}
	return id == ""
}

// admit returns the identifier of the problem with a request, "" if it is
// authorized. own is whether the server's own handler is going to serve it.
func (s *Server) admit(r *http.Request, own bool) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method == http.MethodPost && r.URL.Path == "/upload" {
		id = s.checkUploadToken(r.URL.Query().Get("token"))
		if id == "" {
			s.counters.Delegated++
			return ""
		}
		if own {
			s.counters.Unauthorized++
			return id
		}
	}
	id = s.checkAuthorization(r)
	if id == "" {
		s.counters.Authorized++
	} else {
		s.counters.Unauthorized++
	}
	return id
}

// checkAuthorization returns the identifier of the problem with a request's
// Authorization, "" if there is none. s.mu is held.
func (s *Server) checkAuthorization(r *http.Request) (id string) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return problems.MissingAuthorization
	}
	scheme, token, _ := strings.Cut(header, " ")
	key, password, basic := r.BasicAuth()
	switch bearer := strings.EqualFold(scheme, "Bearer"); {
	case !bearer && (!basic || password != ""):
		return problems.InvalidAuthorization
	case s.suspended:
		return problems.SuspendedAccount
	case bearer && !s.valid(token):
		return problems.InvalidAccessToken
	case basic && !s.keys[key]:
		return problems.InvalidAPIKey
	}
	return ""
}
