package apivideo

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/apikey"
	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/apivideo/api.video-go-oauth2/internal/guard/limit"
	"github.com/apivideo/api.video-go-oauth2/internal/tokencache"
	"golang.org/x/oauth2"
)

const (
	refreshTime  = 10 * time.Second // for the refresh of one renewal
	exchangeTime = 15 * time.Second // for each attempt with the API key
	maxAttempts  = 3                // with the API key, in one renewal
)

// The waits between two attempts are random, from leastPause to these. They are
// short: callers are waiting.
var mostPauses = [maxAttempts - 1]time.Duration{600 * time.Millisecond, 2 * time.Second}

const leastPause = 200 * time.Millisecond

// Refresh gets a new access token for a refresh token. It makes one auth
// call, of at most 30 seconds, and caches nothing. The call makes the refresh
// token invalid; the answer contains the next one. If the call fails, the error
// is an [*Error]. An empty refresh token is an error, and nothing is sent. The
// value of ctx under [oauth2.HTTPClient], if any, is the HTTP client. A nil ctx
// is [context.Background].
//
// Most users will use [Config.Client] or [Config.Source] instead, which refresh
// when needed.
func (c *Config) Refresh(ctx context.Context, refreshToken string) (*oauth2.Token, error) {
	if refreshToken == "" {
		return nil, configErrorf("refresh: the refresh token is empty; use Config.Token to get a first one")
	}
	ctx, stop := guard.Context(cmp.Or(ctx, context.Background()))
	defer stop()
	s, err := c.service(ctx, &loose)
	if err != nil {
		return nil, err
	}
	return copyOf(s.call(ctx, callTime, refresh, refreshToken, c.APIKey))
}

// issuer gets the tokens of a Source. It uses the refresh token if there is one,
// else the API key.
type issuer struct {
	service  *service
	accounts *accounts

	exchanges, refreshes, failures atomic.Uint64 // auth calls

	spent atomic.Value // the refresh token that must not be sent again, or ""
}

func newIssuer(c *Config, s *service) *issuer {
	return &issuer{service: s, accounts: newAccounts(c, s)}
}

// Account implements [tokencache.Issuer].
func (i *issuer) Account(ctx context.Context) (*tokencache.Account, error) {
	return i.accounts.current(ctx)
}

// Issue implements [tokencache.Issuer]. It sends no refresh token that belongs
// to another API key, was refused, or may be spent. If the flight before ended
// with a 429 for the refresh, it uses the API key: the service may limit only
// refreshes.
func (i *issuer) Issue(ctx context.Context, r tokencache.Request) (*tokencache.Token, error) {
	i.service.client.Begin()
	key, refreshToken := r.Account.Key(), ""
	hidden := []string{key}
	if old := r.Old; old != nil {
		hidden = append(hidden, old.AccessToken, old.RefreshToken, old.Account.Key())
		if old.Account.Name == r.Account.Name {
			refreshToken = i.unspent(old.RefreshToken)
		}
	}
	before := asError(r.Failure)
	limited := before.Op == refresh.name && before.Status == http.StatusTooManyRequests
	if refreshToken != "" && !limited {
		t, err := i.call(ctx, r, refreshTime, refresh, refreshToken, hidden...)
		if err == nil {
			i.spent.Store("") // the service may issue the same refresh token again
			return t, nil
		}
		failure := asError(err)
		if !failure.unspent() {
			i.spent.Store(refreshToken)
			r.Spent(refreshToken)
		}
		wait := failure.RetryAfter
		if failure.Is(ErrAccountSuspended) || limit.Ended(ctx) || wait > 0 && !sleep(ctx, wait, r.Retry) {
			return nil, err
		}
		if r.Failure != nil && failure.unspent() {
			return nil, err // one auth call is enough to see that the service still fails
		}
	}
	return i.logIn(ctx, r, key, hidden)
}

// logIn gets a token with the API key.
func (i *issuer) logIn(ctx context.Context, r tokencache.Request, key string, hidden []string) (*tokencache.Token, error) {
	for attempt := 1; ; attempt++ {
		t, err := i.call(ctx, r, exchangeTime, authenticate, key, hidden...)
		if err == nil {
			i.spent.Store("")
			return t, nil
		}
		failure := asError(err)
		most := mostPauses[min(attempt, len(mostPauses))-1]
		wait := max(leastPause+rand.N(most-leastPause), failure.RetryAfter)
		if attempt == maxAttempts || failure.outcome != passing || !sleep(ctx, wait, r.Retry) {
			return nil, err
		}
	}
}

// call makes one auth call and counts it.
func (i *issuer) call(ctx context.Context, r tokencache.Request, limit time.Duration, op operation, credential string, hidden ...string) (*tokencache.Token, error) {
	r.Doing(op.name)
	t, err := i.service.call(ctx, limit, op, credential, i.accounts.Secrets(hidden...)...)
	if err != nil && asError(err).Status == 0 {
		i.service.client.Unanswered()
	}
	switch {
	case errors.Is(err, guard.ErrFull): // it was not made
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
	if k, ok := err.(*apikey.Error); ok { // may wrap a foreign error
		crash, _ := k.Unwrap().(*guard.Crash)
		overdue, _ := k.Unwrap().(limit.Overdue)
		return tokencache.Explanation{Temporary: true, Local: true, Late: overdue.Late, Crash: crash}
	}
	overdue, _ := errors.AsType[limit.Overdue](err)
	crash, _ := errors.AsType[*guard.Crash](err)
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return tokencache.Explanation{Temporary: true, Late: overdue.Late, Crash: crash}
	}
	_, untrusted := errors.AsType[x509.UnknownAuthorityError](err)
	return tokencache.Explanation{
		Op:        e.Op,
		Temporary: e.Temporary(),
		Wait:      e.RetryAfter,
		Refused:   e.Is(ErrInvalidAPIKey) || e.Is(ErrAccountSuspended),
		Local:     untrusted,
		Late:      overdue.Late,
		Crash:     crash,
	}
}

// Encode implements [tokencache.Issuer].
func (i *issuer) Encode(err error) []byte { return encodeError(err) }

// Decode implements [tokencache.Issuer].
func (i *issuer) Decode(encoded []byte) error { return decodeError(encoded) }

// unspent returns the refresh token, or "" if it must not be sent again.
func (i *issuer) unspent(refreshToken string) string {
	if i.spent.Load() == refreshToken {
		return ""
	}
	return refreshToken
}

// sleep waits for d and reports whether to make another attempt. It returns
// false at once if the attempt is not worthwhile, or ctx would end before.
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

// asError returns err as an [*Error]. All errors of service.call are.
func asError(err error) *Error {
	e := new(Error)
	errors.As(err, &e)
	return e
}
