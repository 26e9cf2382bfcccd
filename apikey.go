package apivideo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/tokencache"
	"golang.org/x/oauth2"
)

const (
	// The service documents tokens of an hour, which is assumed of an answer
	// that does not say.
	defaultLifetime = time.Hour

	callTime  = 30 * time.Second // the auth calls of one flight together, or of one Config.Token
	maxAnswer = 1 << 20          // bytes of an answer; a real one has about 2,000
)

// operation is one of the service's two auth calls.
type operation struct{ name, path, field string }

var (
	authenticate = operation{"authenticate", "/auth/api-key", "apiKey"}
	refresh      = operation{"refresh", "/auth/refresh", "refreshToken"}
)

// once makes one auth call for c, outside any Source.
func (c *Config) once(ctx context.Context, op operation, credential string) (*oauth2.Token, error) {
	if ctx == nil {
		ctx = context.Background()
	}
	s, err := c.service(ctx)
	if err != nil {
		return nil, err
	}
	return handOut(s.call(ctx, callTime, op, credential))
}

// call trades a credential for a token, in one request that takes no longer
// than limit, even if the HTTP client does not honour its context. The error
// is an [*Error]; other secrets that the answer might echo are kept out of it
// too.
func (s *service) call(ctx context.Context, limit time.Duration, op operation, credential string, others ...string) (*tokencache.Token, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, tokencache.Overdue(limit))
	defer cancel()
	x := &exchange{service: s, op: op, credential: credential}
	x.secrets = append(secrets{s.apiKey, credential}, others...)
	var t *tokencache.Token
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		t, err = x.do(x.trace(ctx))
	}()
	select {
	case <-done:
		if err == nil || ctx.Err() == nil {
			return t, err
		}
	case <-ctx.Done():
	}
	return nil, x.noAnswer(tokencache.EndOf(ctx))
}

// exchange is one auth call.
type exchange struct {
	*service
	secrets
	op           operation
	credential   string
	dialing, got atomic.Bool // whether a connection was asked for, and had
}

// trace has x notice whether there was a connection to send anything over.
func (x *exchange) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { x.dialing.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { x.got.Store(true) },
	})
}

func (x *exchange) do(ctx context.Context) (*tokencache.Token, error) {
	// Encoding a map of strings cannot fail.
	body, _ := json.Marshal(map[string]string{x.op.field: x.credential})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, x.base.join(x.op.path), bytes.NewReader(body))
	if err != nil {
		return nil, x.noAnswer(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	for _, h := range x.origins {
		req.Header[h.name] = []string{h.value}
	}
	// The lifetime counts from here: the service may have issued the token at
	// any time after.
	issued := time.Now()
	resp, err := x.client.Do(req)
	if err != nil {
		return nil, x.noAnswer(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
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
	if !t.Usable() {
		return nil, x.unusable(resp, errors.New("its token has expired on the way"), passing)
	}
	return t, nil
}

// decodeGrant reads an AccessToken of the service. Its errors contain nothing
// of data, which may be full of secrets.
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

// text returns a field that must be a string if it is there.
func text(fields map[string]any, name string) (string, error) {
	switch v := fields[name].(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	}
	return "", fmt.Errorf("its %s is not a string", name)
}

// checkAccessToken reports why a token cannot stand in a header.
func checkAccessToken(token string) error {
	if token == "" {
		return errors.New("it has no access_token")
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r < '!' || r > '~' }) {
		return errors.New("its access_token has other than visible ASCII characters")
	}
	return nil
}

// lifetime reads expires_in: seconds, as a number or a numeric string.
func lifetime(fields map[string]any) (time.Duration, error) {
	v, ok := fields["expires_in"]
	if !ok {
		return defaultLifetime, nil
	}
	seconds, ok := v.(float64)
	if s, isString := v.(string); isString {
		n, err := strconv.ParseFloat(s, 64)
		seconds, ok = n, err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
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
