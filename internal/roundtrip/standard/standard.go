// Package standard is http.DefaultTransport as it is at each request.
package standard

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
)

// Transport is http.DefaultTransport, as it is at each request. A program may put a
// RoundTripper there that leads back to the same Transport. A request that comes back
// goes to the http.DefaultTransport of the time when the Transport was made.
type Transport struct {
	first   http.RoundTripper
	closing atomic.Bool
}

// Init must be called before d is used.
func (d *Transport) Init() { d.first = http.DefaultTransport }

// RoundTrip implements [http.RoundTripper].
func (d *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
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
		return nil, Neither(now)
	case resp != nil && resp.Request == marked:
		resp.Request = req
	}
	return resp, err
}

// Entered reports whether a request with this context has passed d.
func (d *Transport) Entered(ctx context.Context) bool { return ctx.Value(d) != nil }

// CloseIdleConnections closes those of http.DefaultTransport, if it has a method to
// do so. That may call this method again.
func (d *Transport) CloseIdleConnections() {
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

// Neither is the error of a base that breaks its contract.
func Neither(base http.RoundTripper) error {
	return fmt.Errorf("apivideo: the base transport (%T) returned neither a response nor an error", base)
}
