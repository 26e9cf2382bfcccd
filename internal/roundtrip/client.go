package roundtrip

import (
	"context"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
	"github.com/apivideo/api.video-go-oauth2/internal/guard/limit"
	"github.com/apivideo/api.video-go-oauth2/internal/roundtrip/standard"
)

// Client makes auth calls. It follows no redirect, and uses a dead connection only
// once: a call after one that had no answer goes over a new connection.
type Client struct {
	base          http.RoundTripper
	checkRedirect func(*http.Request, []*http.Request) error
	jar           http.CookieJar
	timeout       time.Duration

	unanswered atomic.Bool  // a call of this renewal had no answer
	silence    atomic.Int32 // calls without an answer, for this renewal
}

// Init must be called before c is used. It is like the other client then. If that
// has no Transport, std is used.
func (c *Client) Init(like *http.Client, std *standard.Transport) {
	c.base, c.checkRedirect, c.jar, c.timeout = like.Transport, like.CheckRedirect, like.Jar, like.Timeout
	if guard.Nil(c.base) {
		c.base = std
	}
}

// Begin starts a renewal. Its first call goes over a new connection if a call of the
// renewal before had no answer.
func (c *Client) Begin() {
	c.silence.Store(0)
	if c.unanswered.Swap(false) {
		c.silence.Store(1)
	}
}

// Unanswered says that the last call had no answer: its connection may be dead.
func (c *Client) Unanswered() {
	c.unanswered.Store(true)
	c.silence.Add(1)
}

// Do sends req.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	base := c.base
	if _, ok := base.(*standard.Transport); ok {
		if t, ok := http.DefaultTransport.(*http.Transport); ok {
			base = t
		}
	}
	// Every other time it is the base itself: the service may speak HTTP/2 only.
	if n := c.silence.Load(); n > 0 {
		base = renewed(req.Context(), base, n%2 == 1)
	}
	refuseRedirects(base, req.Header)
	client := http.Client{Transport: confined{base}, CheckRedirect: c.checkRedirect, Jar: c.jar, Timeout: c.timeout}
	return client.Do(req)
}

// settling is how long a connection may need to become idle after its call.
const settling = 500 * time.Millisecond

// renewed returns a RoundTripper that makes a new connection. If base can neither be
// cloned nor asked to close its connections, it is base.
func renewed(ctx context.Context, base http.RoundTripper, clone bool) http.RoundTripper {
	if t, ok := base.(*http.Transport); ok && clone && cloneable(t) {
		return overHTTP1(t)
	}
	if _, ok := base.(interface{ CloseIdleConnections() }); ok {
		limit.Within(ctx, settling, make(chan struct{}))
		standard.CloseIdleConnections(base)
	}
	return base
}

// cloneable reports whether t may use HTTP/1. A function that makes TLS connections
// may negotiate HTTP/2.
func cloneable(t *http.Transport) bool {
	//lint:ignore SA1019 programs may still set DialTLS
	return t.DialTLS == nil && t.DialTLSContext == nil && (t.Protocols == nil || t.Protocols.HTTP1())
}

// overHTTP1 returns a clone of t for one request. The pool of HTTP/2 connections
// may be shared with clones, so it uses HTTP/1 only. It keeps no connection.
func overHTTP1(t *http.Transport) *http.Transport {
	t = t.Clone()
	t.DisableKeepAlives = true
	t.ForceAttemptHTTP2 = false
	t.TLSNextProto = nil
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	if t.TLSClientConfig != nil {
		others := slices.Clone(t.TLSClientConfig.NextProtos)
		t.TLSClientConfig.NextProtos = slices.DeleteFunc(others, func(p string) bool { return p == "h2" })
	}
	return t
}

// confined removes the Location of responses, so that http.Client follows no
// redirect: it would send the API key to another host.
type confined struct{ base http.RoundTripper }

func (c confined) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.base.RoundTrip(req)
	if resp != nil {
		resp.Header.Del("Location")
	}
	return resp, err
}
