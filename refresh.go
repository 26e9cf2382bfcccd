package apivideo

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/foreign"
	"github.com/apivideo/api.video-go-oauth2/internal/tokencache"
	"golang.org/x/oauth2"
)

const (
	refreshTime  = 10 * time.Second // for the refresh of a flight
	exchangeTime = 15 * time.Second // for each of its attempts with the API key
	maxAttempts  = 3                // with the API key
)

// pauses are drawn from between two attempts. They are short enough for many
// programs that wait for one of them to fail within seconds.
var pauses = [maxAttempts - 1]pause{
	{200 * time.Millisecond, 600 * time.Millisecond},
	{200 * time.Millisecond, 2 * time.Second},
}

type pause struct{ least, most time.Duration }

func (p pause) draw() time.Duration { return p.least + rand.N(p.most-p.least) }

// Refresh trades a refresh token for a new access token: one call, of 30
// seconds at most, with no cache. The refresh token is spent by it; the answer
// has the next. An empty one is an error, before anything is sent. Errors of
// the call are of type [*Error].
//
// Most users will use [Config.Client] or [Config.Source], which refresh when
// it is time. The context may choose the HTTP client, see [oauth2.HTTPClient].
func (c *Config) Refresh(ctx context.Context, refreshToken string) (*oauth2.Token, error) {
	if refreshToken == "" {
		return nil, configErrorf("refresh: the refresh token is empty; use Config.Token to get a first one")
	}
	ctx, stop := foreign.Context(cmp.Or(ctx, context.Background()))
	defer stop()
	s, err := c.service(ctx)
	if err != nil {
		return nil, err
	}
	return handOut(s.call(ctx, callTime, refresh, refreshToken, c.APIKey))
}

// issuer gets tokens for a Source: with the refresh token if there is one,
// else with the API key.
type issuer struct {
	keys *keys

	exchanges, refreshes, failures atomic.Uint64 // auth calls

	mu    sync.Mutex
	spent string // a refresh token not to be sent again
}

// Account implements [tokencache.Issuer].
func (i *issuer) Account(ctx context.Context) (*tokencache.Account, error) {
	return i.keys.account(ctx)
}

// Issue implements [tokencache.Issuer]. A refresh token of another API key is
// not sent, nor one that was refused or may be spent.
func (i *issuer) Issue(ctx context.Context, r tokencache.Request) (*tokencache.Token, error) {
	key, refreshToken := r.Account.Key(), ""
	hidden := []string{key}
	if old := r.Old; old != nil {
		hidden = append(hidden, old.AccessToken, old.RefreshToken, old.Account.Key())
		if old.Account.Name == r.Account.Name {
			refreshToken = i.unspent(old.RefreshToken)
		}
	}
	if refreshToken != "" {
		t, err := i.call(ctx, r, refreshTime, refresh, refreshToken, hidden...)
		if err == nil {
			i.spend("") // the service may issue the same refresh token again
			return t, nil
		}
		failure := asError(err)
		if !failure.unspent() {
			i.spend(refreshToken)
		}
		wait := failure.RetryAfter
		if failure.Is(ErrAccountSuspended) || ctx.Err() != nil || wait > 0 && !sleep(ctx, wait, r.Retry) {
			return nil, err
		}
	}
	for attempt := 1; ; attempt++ {
		t, err := i.call(ctx, r, exchangeTime, authenticate, key, hidden...)
		if err == nil {
			i.spend("")
			return t, nil
		}
		failure := asError(err)
		wait := max(pauses[min(attempt, len(pauses))-1].draw(), failure.RetryAfter)
		if attempt == maxAttempts || failure.outcome != passing || !sleep(ctx, wait, r.Retry) {
			return nil, err
		}
	}
}

// call makes one auth call and counts it.
func (i *issuer) call(ctx context.Context, r tokencache.Request, limit time.Duration, op operation, credential string, hidden ...string) (*tokencache.Token, error) {
	r.Doing(op.name)
	t, err := i.keys.service.call(ctx, limit, op, credential, append(i.keys.secrets(), hidden...)...)
	switch {
	case err != nil:
		i.failures.Add(1)
	case op == refresh:
		i.refreshes.Add(1)
	default:
		i.exchanges.Add(1)
	}
	return t, err
}

// Explain implements [tokencache.Issuer].
func (i *issuer) Explain(err error) tokencache.Explanation {
	if k, ok := err.(*keyError); ok { // may wrap a foreign error
		crash, _ := k.err.(*foreign.Crash)
		return tokencache.Explanation{Temporary: true, Crash: crash}
	}
	crash, _ := errors.AsType[*foreign.Crash](err)
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return tokencache.Explanation{Temporary: true, Crash: crash}
	}
	return tokencache.Explanation{
		Op:        e.Op,
		Temporary: e.Temporary(),
		Wait:      e.RetryAfter,
		Refused:   e.Is(ErrInvalidAPIKey) || e.Is(ErrAccountSuspended),
		Crash:     crash,
	}
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
// longer than the time that is left, or if another attempt is not worthwhile.
func sleep(ctx context.Context, d time.Duration, worthwhile func() bool) bool {
	if end, ok := ctx.Deadline(); !worthwhile() || ok && time.Until(end) <= d {
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
