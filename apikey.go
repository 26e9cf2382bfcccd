package apivideo

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/answer"
	"github.com/apivideo/api.video-go-oauth2/internal/apikey"
	"github.com/apivideo/api.video-go-oauth2/internal/endpoint"
	"github.com/apivideo/api.video-go-oauth2/internal/grant"
	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/apivideo/api.video-go-oauth2/internal/guard/limit"
	"github.com/apivideo/api.video-go-oauth2/internal/redact"
	"github.com/apivideo/api.video-go-oauth2/internal/roundtrip/trace"
	"github.com/apivideo/api.video-go-oauth2/internal/seal"
	"github.com/apivideo/api.video-go-oauth2/internal/tokencache"
	"golang.org/x/oauth2"
)

const (
	callTime = 30 * time.Second // for one Config.Token or Config.Refresh
	keyTime  = 5 * time.Second  // for Config.APIKeyFunc
)

// operation is one of the service's two auth calls.
type operation struct{ name, path, field string }

var (
	authenticate = operation{opAuthenticate, endpoint.APIKeyPath, "apiKey"}
	refresh      = operation{opRefresh, endpoint.RefreshPath, "refreshToken"}
)

// Token exchanges the API key for an access token. It makes one auth call, of at
// most 30 seconds, and caches nothing. If the call fails, the error is an
// [*Error]. The value of ctx under [oauth2.HTTPClient], if any, is the HTTP
// client. A nil ctx is [context.Background].
//
// Most users will use [Config.Client] or [Config.Source] instead.
func (c *Config) Token(ctx context.Context) (*oauth2.Token, error) {
	ctx, stop := guard.Context(cmp.Or(ctx, context.Background()))
	defer stop()
	s, err := c.service(ctx, &loose)
	if err != nil {
		return nil, err
	}
	a, err := newAccounts(c, s).current(ctx)
	if err != nil {
		return nil, err
	}
	return copyOf(s.call(ctx, callTime, authenticate, a.Key()))
}

// call gets a token for a credential, in one request. It returns after
// d even if the HTTP client ignores its context. The error is an [*Error],
// and contains neither the credential nor the other secrets.
func (s *service) call(ctx context.Context, d time.Duration, op operation, credential string, others ...string) (*tokencache.Token, error) {
	ctx, cancel := limit.With(ctx, d)
	defer cancel()
	x := &authCall{operation: op, service: s, credential: credential}
	x.op, x.secrets = op.name, redact.New(append(others, credential)...)
	t, err := guard.CallWithin(ctx, &s.hung.auth, func() (*tokencache.Token, error) { return x.do(ctx) })
	switch failed, ok := err.(*Error); {
	case err == nil:
		return t, nil
	case err == guard.ErrFull:
		return nil, x.notMade()
	case x.Detour() != trace.NoDetour:
		return nil, x.tookDetour(x.url())
	case limit.Ended(ctx):
		return nil, x.noAnswer(limit.Cause(ctx))
	case ok:
		return nil, failed
	}
	return nil, x.noAnswer(err)
}

// authCall is one auth call.
type authCall struct {
	operation
	reporter
	service    *service
	credential string
}

func (x *authCall) do(ctx context.Context) (*tokencache.Token, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := x.request(x.Trace(ctx, cancel, &x.service.base))
	if err != nil {
		return nil, x.noAnswer(err)
	}
	// The lifetime starts here: the service may issue the token at any time from
	// now on.
	issued := time.Now()
	resp, err := x.service.client.Do(req)
	if err != nil {
		return nil, x.noAnswer(err)
	}
	defer resp.Body.Close()
	if !x.Answered(resp.Request, req.URL.String()) {
		return nil, x.tookDetour(x.url())
	}
	data, err := answer.Read(ctx, resp, grant.MaxSize)
	if err != nil {
		return nil, x.noAnswer(fmt.Errorf("reading the answer: %w", err))
	}
	g, err := grant.Decode(data, tokencache.MaxLifetime)
	_, explained := parseProblem(data)
	switch {
	case resp.StatusCode/100 != 2, err != nil && explained:
		return nil, x.refusal(resp, data)
	case err != nil:
		return nil, x.unusable(resp, err, later)
	}
	t := tokencache.NewToken(tokencache.Grant(g), issued)
	t.Op = x.name
	if !t.Usable() {
		return nil, x.unusable(resp, errors.New("its token has expired on the way"), passing)
	}
	return t, nil
}

func (x *authCall) url() string { return x.service.base.Join(x.path) }

// request makes the request of the call. It sets no GetBody: with it, a base
// could send the credential to another host.
func (x *authCall) request(ctx context.Context) (*http.Request, error) {
	// Encoding a map of strings cannot fail.
	body, _ := json.Marshal(map[string]string{x.field: x.credential})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, x.url(), x.Watch(bytes.NewReader(body)))
	if err != nil {
		return nil, err
	}
	req.ContentLength = int64(len(body))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	for _, h := range x.service.origins {
		req.Header[h.Name] = []string{h.Value}
	}
	return req, nil
}

// KeyFile returns a function for [Config].APIKeyFunc that reads the API key from
// a file. It reads the file at each renewal: the program uses a new key without
// a restart. The file contains the key in UTF-8. A byte order mark before the
// key and line breaks after it are ignored.
//
// The errors of the function name the file. They match [ErrInvalidConfig], except
// those that may pass, for example too many open files. The function is safe for
// concurrent use.
func KeyFile(name string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		key, err := apikey.ReadFile(name)
		if passing, ok := err.(*apikey.Passing); ok {
			return "", fmt.Errorf("apivideo: %w", passing)
		}
		return key, asConfigError(err)
	}
}

// accounts makes the account of the current API key. It is safe for concurrent
// use.
type accounts struct {
	*apikey.Getter
	base  string
	boxed bool // there is a Store

	mu   sync.Mutex
	last *tokencache.Account // nil before the first
}

func newAccounts(c *Config, s *service) *accounts {
	a := &accounts{base: s.base.String(), boxed: c.Store != nil}
	if c.APIKey != "" {
		a.Getter = apikey.Fixed(c.APIKey)
		return a
	}
	get := c.APIKeyFunc
	a.Getter = apikey.From(&s.hung.keys, func(ctx context.Context) (string, error) {
		key, err := get(ctx)
		switch {
		case err != nil:
			return key, err
		case key == "":
			return "", configErrorf("Config.APIKeyFunc returned no API key")
		}
		return key, asConfigError(apikey.Check(key, "the API key of Config.APIKeyFunc"))
	})
	return a
}

// current returns the account of the current key. APIKeyFunc has [keyTime] to
// return.
func (a *accounts) current(ctx context.Context) (*tokencache.Account, error) {
	ctx, cancel := limit.With(ctx, keyTime)
	defer cancel()
	key, err := a.Get(ctx)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last != nil && a.last.Key() == key {
		return a.last, nil
	}
	name, err := seal.Name(key, a.base)
	if err != nil {
		return nil, asConfigError(err)
	}
	next := &tokencache.Account{Name: name, Key: func() string { return key }}
	if a.boxed {
		if next.Box, err = seal.New(key, a.base, name); err != nil {
			return nil, asConfigError(err)
		}
	}
	a.last = next
	return next, nil
}
