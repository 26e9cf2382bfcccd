package apivideo

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/tokencache"
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

// issuer gets tokens for a Source: with the refresh token if there is one,
// else with the API key.
type issuer struct {
	service *service

	mu    sync.Mutex
	spent string // a refresh token not to be sent again
}

// Issue implements [tokencache.Issuer]. A refresh token that was refused, or of
// which nobody knows what became, is not sent again.
func (i *issuer) Issue(ctx context.Context, old *tokencache.Token, awaited func() bool) (*tokencache.Token, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, callTime, tokencache.Overdue(callTime))
	defer cancel()
	var accessToken, refreshToken string
	if old != nil {
		accessToken, refreshToken = old.AccessToken, i.unspent(old.RefreshToken)
	}
	if refreshToken != "" {
		t, err := i.service.call(ctx, refreshTime, refresh, refreshToken, accessToken)
		if err == nil {
			i.spend("") // the service may issue the same refresh token again
			return t, nil
		}
		failure := asError(err)
		if !failure.unspent() {
			i.spend(refreshToken)
		}
		wait := failure.RetryAfter
		if failure.Is(ErrAccountSuspended) || ctx.Err() != nil || wait > 0 && !sleep(ctx, wait, awaited) {
			return nil, err
		}
	}
	for attempt := 1; ; attempt++ {
		t, err := i.service.call(ctx, exchangeTime, authenticate, i.service.apiKey, refreshToken, accessToken)
		if err == nil {
			i.spend("")
			return t, nil
		}
		failure := asError(err)
		wait := max(minPause+rand.N(maxPause-minPause), failure.RetryAfter)
		if attempt == maxAttempts || failure.outcome != passing || !sleep(ctx, wait, awaited) {
			return nil, err
		}
	}
}

// Retry implements [tokencache.Issuer].
func (i *issuer) Retry(err error) (temporary bool, wait time.Duration) {
	e := asError(err)
	return e.Temporary(), e.RetryAfter
}

// unspent returns the refresh token, or "" if it must not be sent again.
func (i *issuer) unspent(refreshToken string) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if refreshToken == i.spent {
		return ""
	}
	return refreshToken
}

func (i *issuer) spend(refreshToken string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.spent = refreshToken
}

// sleep waits for d and reports whether to make the next attempt: not if d is
// longer than the time that is left, or if nobody waits for the token.
func sleep(ctx context.Context, d time.Duration, awaited func() bool) bool {
	if end, ok := ctx.Deadline(); !awaited() || ok && time.Until(end) <= d {
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
