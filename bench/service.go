package bench

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

// The lengths of real tokens, in characters.
const (
	AccessTokenLength  = 1000
	RefreshTokenLength = 700
)

// Service is an auth service in memory. Its tokens are as long as real ones, and
// each is new. It checks no credentials. The zero Service issues tokens of an
// hour and answers at once. It is safe for concurrent use; set its fields before.
type Service struct {
	Lifetime time.Duration // of the tokens; an hour when 0
	Latency  time.Duration // of every answer
	Down     func() bool   // reports an outage; nil: there is none

	calls atomic.Int64
}

// Calls is the number of auth calls.
func (s *Service) Calls() int64 { return s.calls.Load() }

// Context returns a copy of ctx in which auth calls go to s.
func (s *Service) Context(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: s})
}

// RoundTrip answers both auth operations.
func (s *Service) RoundTrip(req *http.Request) (*http.Response, error) {
	n := s.calls.Add(1)
	if req.Body != nil {
		defer req.Body.Close()
	}
	down := s.Down != nil && s.Down()
	if s.Latency > 0 {
		select {
		case <-time.After(s.Latency):
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
	if down {
		return answer(req, http.StatusServiceUnavailable, "text/html", "<html><body>Service Unavailable</body></html>"), nil
	}
	return answer(req, http.StatusOK, "application/json", s.grant(n)), nil
}

// grant is the body of an answer with tokens number n.
func (s *Service) grant(n int64) string {
	lifetime := cmp.Or(s.Lifetime, time.Hour)
	return fmt.Sprintf(`{"token_type":"Bearer","expires_in":%v,"access_token":"%s","refresh_token":"%s"}`,
		lifetime.Seconds(), numbered("access", n, AccessTokenLength), numbered("refresh", n, RefreshTokenLength))
}

var padding = strings.Repeat("x", max(AccessTokenLength, RefreshTokenLength))

func numbered(name string, n int64, length int) string {
	number := strconv.FormatInt(n, 10)
	return name + padding[:length-len(name)-len(number)] + number
}

func answer(req *http.Request, status int, contentType, body string) *http.Response {
	return &http.Response{
		StatusCode:    status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        http.Header{"Content-Type": {contentType}},
		Body:          io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)),
		Request:       req,
	}
}
