package model

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/integration/internal/secret"
	"github.com/apivideo/api.video-go-oauth2/integration/internal/wire"
	"golang.org/x/oauth2"
)

// Source is a Source and a Transport that the model observes: all auth calls,
// requests and results.
type Source struct {
	*Run
	Name   string                        // in faults, with the time, if there is one
	Latest *Token                        // that it got or used; nil before the first
	Called func(*wire.Call, wire.Answer) // called for each auth call before the model, unless it is nil

	Met401 time.Time // the last

	src    *apivideo.Source
	client *http.Client
	shared bool // it has a Store

	tokens   map[string]*Token
	spent    map[string]bool   // refresh tokens that were sent, but for a 429
	keyed    int               // auth calls with the API key since the last with a refresh token
	renewing int               // calls of Renew
	wanted   bool              // there was one, and no token has come since
	twice    map[*Request]bool // that were refused twice and are not over
	refused  map[*Token]bool   // tokens, since the last request that was sent again and accepted
	active   *wire.Call
	pace     pace
	blocked  time.Time // until when a failure of the Store may end its flights
	troubled bool      // a renewal may have ended with such a failure, and no token has come since
	over     bool      // its context has ended
}

// NewSource makes a Source with conf and ctx whose calls go through base.
func (r *Run) NewSource(ctx context.Context, conf *apivideo.Config, base http.RoundTripper) *Source {
	s := &Source{Run: r, shared: conf.Store != nil, tokens: map[string]*Token{}, spent: map[string]bool{}, twice: map[*Request]bool{}, refused: map[*Token]bool{}}
	own := *conf
	own.Logger = slog.New(slog.NewTextHandler(logged{s}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.src = own.Source(context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: wire.Tap{Base: base, Begin: s.begin, End: s.end}}))
	s.client = &http.Client{Transport: &apivideo.Transport{Source: s.src, Base: wire.Func(func(req *http.Request) (*http.Response, error) {
		return s.attempt(base, req)
	})}}
	return s
}

// Fault records a promise that the Source has broken.
func (s *Source) Fault(format string, args ...any) {
	if s.Name != "" {
		format = "%s %s: " + format
		args = append([]any{time.Now().Format(time.DateTime + ".000"), s.Name}, args...)
	}
	s.Run.Fault(format, args...)
}

// logged is the log of a Source.
type logged struct{ *Source }

func (l logged) Write(line []byte) (int, error) {
	l.Lock()
	defer l.Unlock()
	if secret.In(string(line)) != "" {
		l.Fault("a secret in the log")
	}
	return len(line), nil
}

// Body is that of a request.
type Body int

// The kinds of bodies.
const (
	None       Body = iota
	Rewindable      // with a GetBody
	Stream          // that cannot be replayed
	bodies
)

// AnyBody is the body that n stands for.
func AnyBody(n int) Body { return Body(n % int(bodies)) }

// Do makes a request to this URL and checks it. It locks the Run.
func (s *Source) Do(ctx context.Context, url string, b Body) *Request {
	r := &Request{From: time.Now(), body: b}
	s.Lock()
	s.start(r)
	s.Unlock()
	const text = "a body that must arrive whole"
	var content io.Reader
	switch b {
	case Rewindable:
		content = strings.NewReader(text)
	case Stream:
		content = io.LimitReader(strings.NewReader(text), int64(len(text)))
	}
	req, err := http.NewRequestWithContext(context.WithValue(ctx, requestKey{}, r), http.MethodPost, url, content)
	var resp *http.Response
	var echo []byte
	if err == nil {
		resp, err = s.client.Do(req)
	}
	if err == nil {
		echo, err = io.ReadAll(resp.Body)
		resp.Body.Close()
		r.Status = resp.StatusCode
	}
	r.Err, r.To = err, time.Now()
	s.Lock()
	defer s.Unlock()
	s.finish(ctx, r)
	if err == nil && r.Status == http.StatusOK && b != None && string(echo) != text {
		s.Fault("the body arrived as %q", echo)
	}
	return r
}

// attempt passes on an attempt of a request, and checks it.
func (s *Source) attempt(base http.RoundTripper, req *http.Request) (*http.Response, error) {
	r := req.Context().Value(requestKey{}).(*Request)
	s.Lock()
	k := s.send(r, strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer "), time.Now())
	if s.refusal != nil {
		base = wire.Func(refuse)
	}
	s.Unlock()
	resp, err := base.RoundTrip(req)
	if err == nil && k != nil {
		s.Lock()
		s.answer(r, resp.StatusCode, time.Now())
		s.Unlock()
	}
	return resp, err
}

// Renew calls Source.Renew and checks the result. It locks the Run.
func (s *Source) Renew(ctx context.Context) {
	r := &Request{From: time.Now()}
	s.Lock()
	s.start(r)
	s.renewing++
	s.wanted = true
	s.Unlock()
	tok, err := s.src.Renew(ctx)
	s.Lock()
	defer s.Unlock()
	s.renewing--
	if err != nil {
		s.judgeError(ctx, r, err)
	} else if k := s.tokens[tok.AccessToken]; k == nil || k.obtained.Add(s.Slack).Before(r.From) {
		s.Fault("Renew returned a token that is not new")
	}
}

// Invalidate reports a token to the Source that it has just handed out. It
// locks the Run.
func (s *Source) Invalidate(ctx context.Context) {
	tok, err := s.src.TokenContext(ctx)
	if err != nil {
		return
	}
	s.Lock()
	k := s.tokens[tok.AccessToken]
	if k == nil {
		s.Fault("the Source hands out a token that nobody issued")
		k = new(Token)
	}
	k.doubted = true
	s.Unlock()
	s.src.Invalidate(tok)
	s.Lock()
	defer s.Unlock()
	k.invalidated = true
}

// End records the end of the Source's context. It locks the Run.
func (s *Source) End() {
	s.Lock()
	defer s.Unlock()
	s.over = true
}

// Told records a token that the Source reads from its Store. It locks the Run.
func (s *Source) Told(access string, issued time.Time, lifetime time.Duration) {
	now := time.Now()
	began := issued
	if began.After(now) { // by another clock
		began = now
	}
	s.Lock()
	defer s.Unlock()
	k := s.tokens[access]
	switch {
	case k == nil:
		s.forget(now)
		k = newToken(access, began, now, lifetime, s.Slack)
		k.Issued, k.told = s.issued[access], true
		k.ends = k.Issued.Add(lifetime)
		s.tokens[access] = k
		s.pace, s.troubled = pace{}, false // it may take that token
	case k.told && k.FirstUse.IsZero():
		later := newToken(access, began, now, lifetime, s.Slack)
		k.unused = later.unused
	}
}

// ToldFailure records a failure that the Source reads from its Store. It may be an
// old one, from a clock that is ahead. It locks the Run.
func (s *Source) ToldFailure(at time.Time, wait time.Duration) {
	now := time.Now()
	s.Lock()
	defer s.Unlock()
	if left := wait - now.Sub(at).Abs(); left > 0 {
		s.blocked, s.troubled = now.Add(left), true
	}
}

// Suffices reports whether this token of the Store is one that the Source must
// not replace. It locks the Run.
func (s *Source) Suffices(access string) bool {
	s.Lock()
	defer s.Unlock()
	k := s.tokens[access]
	return k != nil && k.Refused.IsZero() && time.Now().Before(k.due) && (s.Latest == nil || s.Latest.Refused.IsZero())
}

// forget drops tokens that expired long ago.
func (s *Source) forget(now time.Time) {
	for access, k := range s.tokens {
		if k != s.Latest && now.Sub(k.unused) > forgotten {
			delete(s.tokens, access)
		}
	}
}
