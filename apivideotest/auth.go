package apivideotest

import (
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/problems"
)

// SetAuthLatency sets how long auth calls take, from now on. The server acts
// on a call at the end of that time.
func (s *Server) SetAuthLatency(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latency = d
}

// SetAnswerLatency sets how long the answers of auth calls travel, from now on:
// the time after the server has acted on the call. It adds to the latency of
// SetAuthLatency. [Delay] does the same for one call.
func (s *Server) SetAnswerLatency(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answerLatency = d
}

// serveAuth serves one auth operation, with the latency and the fault that the
// test has set.
func (s *Server) serveAuth(w http.ResponseWriter, r *http.Request, op Op) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		WriteProblem(w, Problem(problems.MethodNotAllowed))
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
	answer, refused := s.issue(op, credential)
	if fault.after != nil {
		fault.after(s, r)
	}
	s.wait(r, answerLatency)
	if refused != nil {
		WriteProblem(w, *refused)
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
