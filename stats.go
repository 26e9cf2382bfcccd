package apivideo

import (
	"errors"
	"fmt"
	"time"
)

// Stats is a snapshot of a [Source], for health checks, metrics and debugging.
// It is plain data.
type Stats struct {
	Usable       bool      // a request would get a token without waiting
	Expiry       time.Time // of the current token, usable or not; zero before the first
	RenewAt      time.Time // when the background renewal is due; zero before the first token
	FailingSince time.Time // start of the first failed renewal since the last success; zero when healthy
	NextAttempt  time.Time // after a failure, no renewal starts earlier; zero when healthy
	LastError    error     // of the latest renewal, if it failed; nil when healthy
	RefusedSince time.Time // when 401s began, if the API refused the current token and has accepted none since; else zero

	// Counters since the Source was made.
	Exchanges     uint64 // successful auth calls with the API key
	Refreshes     uint64 // successful auth calls with a refresh token
	Failures      uint64 // failed auth calls
	Adopted       uint64 // tokens taken from the Store
	StoreFailures uint64 // renewals in which the Store failed
	Refusals      uint64 // 401s that refused the token that was current
	Replays       uint64 // requests that were sent again
	Waits         uint64 // callers that had to wait for a renewal
}

// refusalGrace is how long the API may refuse the current token before that is an
// error: a renewal needs a moment.
const refusalGrace = 10 * time.Second

// Err is nil while a request can be expected to be served, or nothing is known.
// Otherwise it says why not: there is no usable token and the last renewal failed,
// or the API has refused the current token for 10 seconds and accepted none in
// between. It looks at the clock: call it soon after [Source.Stats].
func (s Stats) Err() error {
	switch refused := !s.RefusedSince.IsZero() && time.Since(s.RefusedSince) >= refusalGrace; {
	case refused && s.LastError != nil:
		return fmt.Errorf("apivideo: the API refuses the access token, and there is no new one: %w", s.LastError)
	case refused:
		return errTokenRefused
	case !s.Usable:
		return s.LastError
	}
	return nil
}

var errTokenRefused = errors.New("apivideo: the API refuses the access token")

// Stats returns a snapshot. It makes no call and waits for nothing. It does not
// count as use of the token: an idle Source stays idle. If the Source is nil or
// zero, or its Config has a mistake, only LastError is set. Stats is safe for
// concurrent use.
func (s *Source) Stats() Stats {
	e, err := s.use()
	if err != nil {
		return Stats{LastError: err}
	}
	c := e.cache.Stats()
	return Stats{
		Usable: c.Usable, Expiry: c.Expiry, RenewAt: c.RenewAt,
		FailingSince: c.FailingSince, NextAttempt: c.NextAttempt, LastError: c.LastError, RefusedSince: c.RefusedSince,
		Exchanges: e.issuer.exchanges.Load(), Refreshes: e.issuer.refreshes.Load(), Failures: e.issuer.failures.Load(),
		Adopted: c.Adopted, StoreFailures: c.StoreFailures,
		Refusals: c.Refusals, Replays: e.replays.Load(), Waits: c.Waits,
	}
}
