package apivideotest

import (
	"io"
	"net/http"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/internal/problems"
)

// Op is one of the two auth operations.
type Op string

// The auth operations: with the API key, and with the refresh token.
const (
	Authenticate Op = "authenticate"
	Refresh      Op = "refresh"
)

// Fault is a way for a call to go wrong. The zero Fault is none: the call is
// served.
type Fault struct {
	// before runs instead of the operation, unless it returns false.
	before func(*Server, http.ResponseWriter, *http.Request) bool
	// after runs between the operation and its answer.
	after func(*Server, *http.Request)
}

var (
	// BreakBefore breaks the connection before the server acts on the call.
	BreakBefore = Fault{before: func(*Server, http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }}

	// BreakAfter breaks the connection after the server acted on the call: a
	// refresh token is spent, and its successor lost.
	BreakAfter = Fault{after: func(*Server, *http.Request) { panic(http.ErrAbortHandler) }}

	// Hang never answers, until the client or the server gives up. The server
	// does not act on the call.
	Hang = Fault{before: func(s *Server, _ http.ResponseWriter, r *http.Request) bool {
		select {
		case <-r.Context().Done():
		case <-s.closing:
		}
		panic(http.ErrAbortHandler)
	}}
)

// Status answers with this status. The body is the problem that the service
// documents for it. If there is none, it is an HTML page, as from the CDN in front
// of the service.
func Status(code int) Fault {
	switch code {
	case http.StatusBadRequest:
		return Refuse(Problem(problems.InvalidPayload))
	case http.StatusTooManyRequests:
		return Refuse(Problem(problems.TooManyRequests))
	}
	text := http.StatusText(code)
	return Answer(code, "text/html", "<html><head><title>"+text+"</title></head><body><h1>"+text+"</h1></body></html>\n")
}

// Refuse answers with p, without acting on the call.
func Refuse(p apivideo.Problem) Fault {
	return Fault{before: func(_ *Server, w http.ResponseWriter, _ *http.Request) bool {
		WriteProblem(w, p)
		return true
	}}
}

// Answer answers with this status, Content-Type and body.
func Answer(code int, contentType, body string) Fault {
	return Fault{before: func(_ *Server, w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(code)
		io.WriteString(w, body)
		return true
	}}
}

// Delay acts on the call at once and sends the answer d later. A token is
// issued while its answer is still in transit: revoke it in that time, and the
// client receives a token that is already invalid.
func Delay(d time.Duration) Fault {
	return Fault{after: func(s *Server, r *http.Request) { s.wait(r, d) }}
}

// RetryAfter is f with a Retry-After header in its answer.
func (f Fault) RetryAfter(value string) Fault {
	before := f.before
	return Fault{after: f.after, before: func(s *Server, w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Retry-After", value)
		return before != nil && before(s, w, r)
	}}
}

// Fail makes the next auth calls fail, one for each fault, in this order.
func (s *Server) Fail(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// FailAPI makes the next calls that are not auth calls fail, one for each
// fault, in this order. A fault comes before the check of the authorization.
func (s *Server) FailAPI(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apiFaults = append(s.apiFaults, faults...)
}

// FailFunc calls f for every further auth call and applies the Fault that it
// returns. The faults of Fail come first. f must not call the server. If f is nil,
// all calls succeed.
func (s *Server) FailFunc(f func(Op) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faultOf = f
}

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

// wait waits for d. It breaks the connection if the client gives up or the server
// is closed before that.
func (s *Server) wait(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return
	case <-r.Context().Done():
	case <-s.closing:
	}
	panic(http.ErrAbortHandler)
}
