package apivideotest

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/problems"
)

// Limits are rate limits: how many calls of each kind the service serves a
// minute. A kind with 0 is not limited.
type Limits struct {
	Reads   int // GET and HEAD
	Writes  int
	Uploads int
}

// The limits that the service documents for its two environments.
var (
	SandboxLimits    = Limits{Reads: 100, Writes: 40, Uploads: 40}
	ProductionLimits = Limits{Reads: 500, Writes: 200, Uploads: 100}
)

const (
	announcedLimit = 40 // in the headers of answers if nothing is limited
	rateWindow     = time.Minute
)

// callKind is a kind of call that the service counts separately.
type callKind int

const (
	authCall callKind = iota
	readCall
	writeCall
	uploadCall
	callKinds
)

// window counts the calls of a kind since it began.
type window struct {
	began time.Time
	calls int
}

// SetRateLimits enforces limits from now on: further calls get a 429 until the
// minute is over. The zero Limits, the default, enforces none. Auth calls are
// never limited. Every answer has the rate-limit headers, in any case.
func (s *Server) SetRateLimits(l Limits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits = [callKinds]int{readCall: l.Reads, writeCall: l.Writes, uploadCall: l.Uploads}
	s.windows = [callKinds]window{}
}

// countRate counts a call and sets the headers that the service sends with
// every answer. It writes the answer and returns false if the call is one too
// many.
func (s *Server) countRate(w http.ResponseWriter, r *http.Request) bool {
	kind := kindOf(r)
	limited := s.announceRate(w.Header(), kind)
	if limited {
		WriteProblem(w, Problem(problems.TooManyRequests))
	}
	return !limited
}

func (s *Server) announceRate(h http.Header, kind callKind) (limited bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, in := time.Now(), &s.windows[kind]
	if now.Sub(in.began) >= rateWindow {
		*in = window{began: now}
	}
	in.calls++
	limit := s.limits[kind]
	if limited = limit > 0 && in.calls > limit; limited {
		s.counters.Limited++
	}
	if limit <= 0 {
		limit = announcedLimit
	}
	reset := in.began.Add(rateWindow).Sub(now)
	h.Set("X-RateLimit-Limit", strconv.Itoa(limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(max(limit-in.calls, 0)))
	h.Set("X-RateLimit-Retry-After", strconv.Itoa(int((reset+time.Second-1)/time.Second)))
	return limited
}

func kindOf(r *http.Request) callKind {
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, "/auth/"):
		return authCall
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		return readCall
	case path == "/upload", strings.HasSuffix(path, "/source"):
		return uploadCall
	}
	return writeCall
}
