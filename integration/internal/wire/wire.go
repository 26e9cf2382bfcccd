// Package wire reads the auth calls that pass between a program and the
// service.
package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
)

// Func is an http.RoundTripper made of a function.
type Func func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f Func) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// Call is one auth call.
type Call struct {
	Context  context.Context
	Op       apivideotest.Op
	Sent     string    // the API key, or the refresh token
	From, To time.Time // To is set at its end
}

// Answer is the result of an auth call. The zero Answer is none.
type Answer struct {
	Status         int // 0 if there was no answer
	Token, Refresh string
	Lifetime       time.Duration
	Early          bool          // a 429: what was sent was not looked at
	Final          bool          // a refusal that the service explains
	Suspended      bool          // of the account
	Floor          time.Duration // that the service asks to wait
}

// Tap is an http.RoundTripper for auth calls. An answer of status 500 or more
// repeats what was sent, as services have done.
type Tap struct {
	Base  http.RoundTripper
	Begin func(*Call)         // called before a call, unless it is nil
	End   func(*Call, Answer) // called after it
}

// RoundTrip implements http.RoundTripper.
func (t Tap) RoundTrip(req *http.Request) (*http.Response, error) {
	c, req := newCall(req)
	if t.Begin != nil {
		t.Begin(c)
	}
	resp, err := t.Base.RoundTrip(req)
	var answer Answer
	var data []byte
	if err == nil {
		data, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		answer = Read(resp.StatusCode, resp.Header, data)
		if resp.StatusCode >= 500 {
			data = append(data, c.Sent...)
		}
	}
	c.To = time.Now()
	t.End(c, answer)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(data))
	return resp, nil
}

// newCall reads the body of a request. It returns a request with a new body.
func newCall(req *http.Request) (*Call, *http.Request) {
	c := &Call{Context: req.Context(), Op: apivideotest.Authenticate, From: time.Now()}
	if strings.HasSuffix(req.URL.Path, "/auth/refresh") {
		c.Op = apivideotest.Refresh
	}
	body, _ := io.ReadAll(req.Body)
	req.Body.Close()
	req = req.Clone(req.Context())
	req.Body = io.NopCloser(bytes.NewReader(body))
	var fields map[string]string
	_ = json.Unmarshal(body, &fields)
	for _, credential := range fields {
		c.Sent = credential
	}
	return c, req
}

// Read understands an answer of the service.
func Read(status int, header http.Header, data []byte) Answer {
	var fields struct {
		AccessToken  string  `json:"access_token"`
		RefreshToken string  `json:"refresh_token"`
		ExpiresIn    float64 `json:"expires_in"`
		Type         string  `json:"type"`
	}
	problem := json.Unmarshal(data, &fields) == nil && fields.Type != ""
	early := status == http.StatusTooManyRequests
	wait, _ := strconv.Atoi(header.Get("Retry-After"))
	if early {
		limit, _ := strconv.Atoi(header.Get("X-RateLimit-Retry-After"))
		wait = max(wait, limit)
	}
	return Answer{
		Status:    status,
		Token:     fields.AccessToken,
		Refresh:   fields.RefreshToken,
		Lifetime:  time.Duration(fields.ExpiresIn * float64(time.Second)),
		Early:     early,
		Final:     problem && !early && status/100 == 4,
		Suspended: strings.HasSuffix(fields.Type, "authorization-suspended-account"),
		Floor:     time.Duration(wait) * time.Second,
	}
}
