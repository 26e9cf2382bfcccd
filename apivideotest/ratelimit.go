package apivideotest

import "github.com/apivideo/api.video-go-oauth2/internal/standin"

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

// SetRateLimits enforces limits from now on: further calls get a 429 until the
// minute is over. The zero Limits, the default, enforces none. Auth calls are
// never limited. Every answer has the rate-limit headers, in any case.
func (s *Server) SetRateLimits(l Limits) { s.service.SetLimits(standin.Limits(l)) }
