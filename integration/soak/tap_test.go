package soak_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
)

// authCall is one auth call.
type authCall struct {
	ctx      context.Context
	op       apivideotest.Op
	sent     string // the API key, or the refresh token
	from, to time.Time
	ok       bool // it brought a token
}

// answer is what an auth call brought, which may be nothing.
type answer struct {
	token, refresh string
	lifetime       time.Duration
	early          bool          // a 429: what was sent was not looked at
	final          bool          // a refusal that the service explains
	suspended      bool          // of the account
	floor          time.Duration // that the service asks to wait
}

func newAuthCall(req *http.Request) *authCall {
	c := &authCall{ctx: req.Context(), op: apivideotest.Authenticate, from: time.Now()}
	if strings.HasSuffix(req.URL.Path, "/auth/refresh") {
		c.op = apivideotest.Refresh
	}
	body, _ := req.GetBody() // of bytes
	var fields map[string]string
	json.NewDecoder(body).Decode(&fields)
	for _, credential := range fields {
		c.sent = credential
	}
	return c
}

// authTap tells the model of auth calls.
type authTap struct {
	model *model
	base  http.RoundTripper
}

func (a authTap) RoundTrip(req *http.Request) (*http.Response, error) {
	c := newAuthCall(req)
	a.model.mu.Lock()
	a.model.begin(c)
	a.model.mu.Unlock()
	resp, err := a.base.RoundTrip(req)
	got, data := answer{}, []byte(nil)
	if err == nil {
		data, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		got = read(resp, data)
		if resp.StatusCode >= 500 {
			data = append(data, c.sent...) // services have repeated what they got
		}
	}
	now := time.Now()
	a.model.mu.Lock()
	defer a.model.mu.Unlock()
	a.model.end(c, got, now)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(data))
	return resp, nil
}

// read understands an answer of the service.
func read(resp *http.Response, data []byte) (got answer) {
	var fields struct {
		AccessToken  string  `json:"access_token"`
		RefreshToken string  `json:"refresh_token"`
		ExpiresIn    float64 `json:"expires_in"`
		Type         string  `json:"type"`
	}
	problem := json.Unmarshal(data, &fields) == nil && fields.Type != ""
	got.token, got.refresh = fields.AccessToken, fields.RefreshToken
	got.lifetime = time.Duration(fields.ExpiresIn * float64(time.Second))
	got.early = resp.StatusCode == http.StatusTooManyRequests
	got.final = problem && !got.early && resp.StatusCode/100 == 4
	got.suspended = strings.HasSuffix(fields.Type, "authorization-suspended-account")
	wait, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	if got.early {
		limit, _ := strconv.Atoi(resp.Header.Get("X-RateLimit-Retry-After"))
		wait = max(wait, limit)
	}
	got.floor = time.Duration(wait) * time.Second
	return got
}

// apiTap tells the model of the attempts of a request.
type apiTap struct {
	model *model
	base  http.RoundTripper
}

func (a apiTap) RoundTrip(req *http.Request) (*http.Response, error) {
	r := req.Context().Value(requestKey{}).(*request)
	a.model.mu.Lock()
	k := a.model.send(r, strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer "), time.Now())
	base := a.base
	if a.model.refusal != nil {
		base = refuser{}
	}
	a.model.mu.Unlock()
	resp, err := base.RoundTrip(req)
	if err == nil && k != nil {
		a.model.mu.Lock()
		a.model.answer(r, resp.StatusCode, time.Now())
		a.model.mu.Unlock()
	}
	return resp, err
}

// refuser is an API that refuses every token.
type refuser struct{}

func (refuser) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		req.Body.Close()
	}
	w := httptest.NewRecorder()
	apivideotest.WriteProblem(w, apivideotest.Problem("authentication-invalid-access-token"))
	return w.Result(), nil
}

// log is what a Source has logged.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
