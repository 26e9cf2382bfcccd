package apivideo

import "time"

// Stats is a snapshot of a [Source], for health checks, metrics and debugging.
// It is plain data.
type Stats struct {
	Usable       bool      // a request now would be served without waiting
	Expiry       time.Time // of the current token, usable or not; zero before the first
	RenewAt      time.Time // when renewal ahead of expiry is due; zero before the first token
	FailingSince time.Time // when the first renewal failed since the last success; zero when healthy
	NextAttempt  time.Time // no renewal begins before, after a failure; zero when healthy
	LastError    error     // of the last failed renewal since the last success; nil when healthy

	// Counters since the Source was made.
	Exchanges     uint64 // auth calls with the API key that brought a token
	Refreshes     uint64 // auth calls with a refresh token that brought a token
	Failures      uint64 // auth calls that did not
	Adopted       uint64 // tokens taken from the Store
	StoreFailures uint64 // renewals in which the Store failed
	Refusals      uint64 // 401s that refused the current token
	Replays       uint64 // requests that were sent again
	Waits         uint64 // callers that had to wait for a renewal
}

// Stats returns a snapshot. It makes no call, waits for nothing, and does not
// count as use of the token: an idle Source stays idle. The Stats of the zero
// Source, or of one with a mistake in its Config, are zero but for LastError.
// It is safe for concurrent use.
func (s *Source) Stats() Stats {
	a, err := s.use()
	if err != nil {
		return Stats{LastError: err}
	}
	c := a.cache.Stats()
	return Stats{
		Usable: c.Usable, Expiry: c.Expiry, RenewAt: c.RenewAt,
		FailingSince: c.FailingSince, NextAttempt: c.NextAttempt, LastError: c.LastError,
		Exchanges: a.issuer.exchanges.Load(), Refreshes: a.issuer.refreshes.Load(), Failures: a.issuer.failures.Load(),
		Adopted: c.Adopted, StoreFailures: c.StoreFailures,
		Refusals: c.Refusals, Replays: a.replays.Load(), Waits: c.Waits,
	}
}
