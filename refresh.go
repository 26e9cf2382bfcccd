package apivideo

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"golang.org/x/oauth2"
)

const (
	refreshTime  = 10 * time.Second // for the refresh of a flight
	exchangeTime = 15 * time.Second // for each of its attempts with the API key
	maxAttempts  = 3                // with the API key
	minPause     = 200 * time.Millisecond
	maxPause     = 2 * time.Second
)

// Refresh trades a refresh token for a new access token: one call, of 30
// seconds at most, with no cache. The refresh token is spent by it; the answer
// has the next. An empty one is an error, before anything is sent. Errors of
// the call are of type [*Error].
//
// Most users will use [Config.Client] or [Config.Source], which refresh when
// it is time. The context may choose the HTTP client, see [oauth2.HTTPClient].
func (c *Config) Refresh(ctx context.Context, refreshToken string) (*oauth2.Token, error) {
	if refreshToken == "" {
		return nil, errors.New("apivideo: refresh: the refresh token is empty; use Config.Token to get a first one")
	}
	return c.once(ctx, refresh, refreshToken)
}

// renewal is one pursuit of a new token: with the refresh token if there is
// one, else with the API key.
type renewal struct {
	*service
	refreshToken string // "" if there is none
	accessToken  string // the one to be replaced, known in order to be redacted
	// waited reports whether somebody waits for the token. If nobody does, a
	// later renewal is better than a further attempt.
	waited func() bool
}

// do returns the new token or, with the error, whether the refresh token must
// not be sent again: it was refused, or nobody knows what became of it.
func (r *renewal) do(ctx context.Context) (e *entry, spent bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, callTime, overdue(callTime))
	defer cancel()
	var floor time.Duration
	if r.refreshToken != "" {
		e, err = r.call(ctx, refreshTime, refresh, r.refreshToken, r.accessToken)
		if err == nil {
			return e, false, nil
		}
		failure := asError(err)
		spent = !failure.unspent()
		floor = failure.RetryAfter
		if failure.Is(ErrAccountSuspended) || ctx.Err() != nil || floor > 0 && !r.pause(ctx, floor) {
			return nil, spent, err
		}
	}
	for attempt := 1; ; attempt++ {
		e, err = r.call(ctx, exchangeTime, authenticate, r.apiKey, r.refreshToken, r.accessToken)
		if err == nil || attempt == maxAttempts || asError(err).outcome != passing {
			return e, spent, err
		}
		pause := minPause + rand.N(maxPause-minPause)
		if !r.pause(ctx, max(pause, asError(err).RetryAfter)) {
			return nil, spent, err
		}
	}
}

// pause waits for d and reports whether the next attempt is to be made: it is
// not if d is longer than the time that is left, or if nobody waits for it.
func (r *renewal) pause(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); !r.waited() || ok && time.Until(end) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// asError returns the [*Error] that err is; service.call returns no other.
func asError(err error) *Error {
	e := new(Error)
	errors.As(err, &e)
	return e
}
