package standin

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
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

// rates counts calls. It is safe for concurrent use.
type rates struct {
	mu      sync.Mutex // guards what follows
	limits  [callKinds]int
	windows [callKinds]window
}

// SetLimits enforces limits from now on. Auth calls are never limited.
func (s *Service) SetLimits(l Limits) {
	s.rates.mu.Lock()
	defer s.rates.mu.Unlock()
	s.rates.limits = [callKinds]int{readCall: l.Reads, writeCall: l.Writes, uploadCall: l.Uploads}
	s.rates.windows = [callKinds]window{}
}

// Limit counts a call and sets the headers that the service sends with every
// answer. It writes the answer and returns true if the call is one too many.
func (s *Service) Limit(w http.ResponseWriter, r *http.Request) bool {
	limited := s.rates.announce(w.Header(), kindOf(r))
	if limited {
		s.count(func(c *Counters) { c.Limited++ })
		only(documented(problems.TooManyRequests)).Write(w)
	}
	return limited
}

func (s *rates) announce(h http.Header, kind callKind) (limited bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, in := time.Now(), &s.windows[kind]
	if now.Sub(in.began) >= rateWindow {
		*in = window{began: now}
	}
	in.calls++
	limit := s.limits[kind]
	limited = limit > 0 && in.calls > limit
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
