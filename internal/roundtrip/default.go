// Package roundtrip sends requests: over http.DefaultTransport as it is now, or
// over a new connection, and follows no redirect with a credential.
package roundtrip

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/apivideo/api.video-go-oauth2/internal/guard"
)

// Default is http.DefaultTransport, as it is at each request. A program may put a
// RoundTripper there that leads back to the same Default. A request that comes back
// goes to the http.DefaultTransport of the time when the Default was made.
type Default struct {
	first   http.RoundTripper
	closing atomic.Bool
}

// Init must be called before d is used.
func (d *Default) Init() { d.first = http.DefaultTransport }

// RoundTrip implements [http.RoundTripper].
func (d *Default) RoundTrip(req *http.Request) (*http.Response, error) {
	now := http.DefaultTransport
	if _, ok := now.(*http.Transport); ok { // the usual one leads nowhere else
		return now.RoundTrip(req)
	}
	if d.Entered(req.Context()) {
		return d.first.RoundTrip(req)
	}
	marked := req.WithContext(context.WithValue(req.Context(), d, true))
	resp, err := now.RoundTrip(marked)
	switch {
	case resp == nil && err == nil:
		return nil, neither(now)
	case resp != nil && resp.Request == marked:
		resp.Request = req
	}
	return resp, err
}

// Entered reports whether a request with this context has passed d.
func (d *Default) Entered(ctx context.Context) bool { return ctx.Value(d) != nil }

// CloseIdleConnections closes those of http.DefaultTransport, if it has a method to
// do so. That may call this method again.
func (d *Default) CloseIdleConnections() {
	if !d.closing.CompareAndSwap(false, true) {
		CloseIdleConnections(d.first)
		return
	}
	defer d.closing.Store(false)
	CloseIdleConnections(http.DefaultTransport)
}

// CloseIdleConnections closes those of base, if it has a method to do so.
func CloseIdleConnections(base http.RoundTripper) {
	if c, ok := base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// Send sends req through base. It returns either a response or an error, whatever
// base returns. closes is the bound of [Drop].
func Send(base http.RoundTripper, req *http.Request, closes *guard.Bound) (*http.Response, error) {
	resp, err := base.RoundTrip(req)
	switch {
	case err != nil:
		Drop(resp, closes)
		return nil, err
	case resp == nil:
		return nil, neither(base)
	}
	return resp, nil
}

func neither(base http.RoundTripper) error {
	return fmt.Errorf("apivideo: the base transport (%T) returned neither a response nor an error", base)
}

// Drop closes a response that nobody gets, and does not wait for that. It may be nil.
// It stays open if too many Close calls hang.
func Drop(resp *http.Response, closes *guard.Bound) {
	if resp == nil || resp.Body == nil {
		return
	}
	_, leave, ok := guard.Start(closes, func() (struct{}, error) { return struct{}{}, resp.Body.Close() })
	if ok {
		leave()
	}
}
