package apivideo

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/apivideo/api.video-go-oauth2/internal/tokencache"
	"golang.org/x/oauth2"
)

const (
	// The documented lifetime, for an answer without expires_in.
	defaultLifetime = time.Hour

	callTime  = 30 * time.Second // for one Config.Token or Config.Refresh
	keyTime   = 5 * time.Second  // for Config.APIKeyFunc
	maxToken  = 16 << 10         // bytes of an access token; real ones have about 1,000
	maxAnswer = 1 << 20          // bytes of an answer; real ones have about 2,000
)

// operation is one of the service's two auth calls.
type operation struct{ name, path, field string }

var (
	authenticate = operation{"authenticate", "/auth/api-key", "apiKey"}
	refresh      = operation{"refresh", "/auth/refresh", "refreshToken"}
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
	s, err := c.service(ctx)
	if err != nil {
		return nil, err
	}
	a, err := newKeys(c, s).account(ctx)
	if err != nil {
		return nil, err
	}
	return copyOf(s.call(ctx, callTime, authenticate, a.Key()))
}

// call exchanges a credential for a token, in one request. It returns after
// limit even if the HTTP client ignores its context. The error is an [*Error],
// and contains neither the credential nor the other secrets.
func (s *service) call(ctx context.Context, limit time.Duration, op operation, credential string, others ...string) (*tokencache.Token, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, tokencache.Overdue(limit))
	defer cancel()
	x := &exchange{service: s, op: op, credential: credential, secrets: newSecrets(append(others, credential)...)}
	t, err := guard.Call(ctx, func() (*tokencache.Token, error) { return x.do(ctx) })
	if err == nil {
		return t, nil
	}
	if x.elsewhere.Load() {
		return nil, x.fromElsewhere()
	}
	if ctx.Err() != nil {
		return nil, x.noAnswer(context.Cause(ctx))
	}
	if failed, ok := errors.AsType[*Error](err); ok {
		return nil, failed
	}
	return nil, x.noAnswer(err)
}

// exchange is one auth call.
type exchange struct {
	service    *service
	secrets    secrets
	op         operation
	credential string

	// Atomic, because call may return while the request still runs.
	dialing, connected atomic.Bool            // a connection was requested, and obtained
	read               atomic.Bool            // the body was read: it may have been sent
	elsewhere          atomic.Bool            // the base sent a request to another host
	conn               atomic.Value           // the *httptrace.GotConnInfo of the latest connection
	host               atomic.Pointer[string] // the first Host header
}

func (x *exchange) do(ctx context.Context) (*tokencache.Token, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := x.request(x.trace(ctx, cancel))
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
	if r := resp.Request; r != nil && r.URL != nil && r.URL.String() != req.URL.String() {
		x.elsewhere.Store(true)
		return nil, x.fromElsewhere()
	}
	data, err := readAnswer(ctx, resp)
	if err != nil {
		return nil, x.noAnswer(fmt.Errorf("reading the answer: %w", err))
	}
	if resp.StatusCode/100 != 2 {
		return nil, x.refusal(resp, data)
	}
	g, err := decodeGrant(data)
	if err != nil {
		return nil, x.unusable(resp, err, later)
	}
	t := tokencache.NewToken(g, issued)
	t.Op = x.op.name
	if !t.Usable() {
		return nil, x.unusable(resp, errors.New("its token has expired on the way"), passing)
	}
	return t, nil
}

// request makes the request of the call. It sets no GetBody: with it, a base
// could send the credential to another host.
func (x *exchange) request(ctx context.Context) (*http.Request, error) {
	// Encoding a map of strings cannot fail.
	body, _ := json.Marshal(map[string]string{x.op.field: x.credential})
	u := x.service.base.join(x.op.path)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u, &watchedReader{bytes.NewReader(body), &x.read})
	if err != nil {
		return nil, err
	}
	req.ContentLength = int64(len(body))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	for _, h := range x.service.origins {
		req.Header[h.name] = []string{h.value}
	}
	return req, nil
}

// watchedReader sets read when it is read.
type watchedReader struct {
	io.Reader
	read *atomic.Bool
}

func (r *watchedReader) Read(p []byte) (int, error) {
	r.read.Store(true)
	return r.Reader.Read(p)
}

// readAnswer reads the body of an answer. It closes the body when ctx ends: some
// bodies ignore the context. The body of a 101 has no end and is not read.
func readAnswer(ctx context.Context, resp *http.Response) ([]byte, error) {
	if resp.StatusCode < http.StatusOK {
		return nil, nil
	}
	ended := context.AfterFunc(ctx, func() {
		guard.Go(func() (struct{}, error) { return struct{}{}, resp.Body.Close() })
	})
	defer ended()
	return io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
}

// decodeGrant reads an AccessToken of the service. Its errors contain no part of
// data, which may have secrets.
func decodeGrant(data []byte) (g tokencache.Grant, err error) {
	if len(data) > maxAnswer {
		return g, fmt.Errorf("it is longer than %d bytes", maxAnswer)
	}
	if err := json.Unmarshal(data, &g.Extra); err != nil || g.Extra == nil {
		return g, errors.New("it is not one JSON object")
	}
	if g.AccessToken, err = text(g.Extra, "access_token"); err != nil {
		return g, err
	}
	if err := checkAccessToken(g.AccessToken); err != nil {
		return g, err
	}
	kind, err := text(g.Extra, "token_type")
	if err != nil {
		return g, err
	}
	if kind != "" && !strings.EqualFold(kind, "bearer") {
		return g, errors.New("its token_type is not Bearer")
	}
	if g.RefreshToken, err = text(g.Extra, "refresh_token"); err != nil {
		return g, err
	}
	g.Lifetime, err = lifetime(g.Extra)
	return g, err
}

// text returns a string field, or "" if it is missing.
func text(fields map[string]any, name string) (string, error) {
	switch v := fields[name].(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	}
	return "", fmt.Errorf("its %s is not a string", name)
}

// checkAccessToken reports why a token cannot be sent in a header.
func checkAccessToken(token string) error {
	switch {
	case token == "":
		return errors.New("it has no access_token")
	case len(token) > maxToken:
		return fmt.Errorf("its access_token is longer than %d bytes", maxToken)
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r < '!' || r > '~' }) {
		return errors.New("its access_token has characters other than visible ASCII")
	}
	return nil
}

// lifetime reads expires_in: seconds, as a number or a numeric string. If it is
// missing, null or empty, the lifetime is the documented one.
func lifetime(fields map[string]any) (time.Duration, error) {
	v := fields["expires_in"]
	seconds, ok := v.(float64)
	if s, isString := v.(string); isString {
		if v = strings.TrimSpace(s); v != "" {
			n, err := strconv.ParseFloat(v.(string), 64)
			seconds, ok = n, err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
		}
	}
	if v == nil || v == "" {
		return defaultLifetime, nil
	}
	if !ok {
		return 0, errors.New("its expires_in is not a number")
	}
	d := time.Duration(min(seconds, tokencache.MaxLifetime.Seconds()) * float64(time.Second))
	if d <= 0 {
		return 0, errors.New("its expires_in is not positive")
	}
	return d, nil
}
