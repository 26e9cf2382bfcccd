package apivideo

import (
	"context"
	"net"
	"net/http/httptrace"
	"strings"
)

// trace returns a context that records in x whether there was a connection. It
// also ends the call before its body is written if the request goes to another
// host, or without TLS: a base that follows redirects may send a copy of the body
// there.
func (x *exchange) trace(ctx context.Context, cancel func()) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { x.dialing.Store(true) },
		GotConn: func(info httptrace.GotConnInfo) {
			x.connected.Store(true)
			x.conn.Store(&info)
			if _, plain := info.Conn.(*net.TCPConn); plain && x.service.base.IsTLS() {
				x.stop(cancel)
			}
		},
		WroteHeaderField: func(name string, values []string) {
			if (name == "Host" || name == ":authority") && !x.isOwn(strings.Join(values, ",")) {
				x.stop(cancel)
			}
		},
	})
}

// isOwn reports whether a Host header is that of the service. If the header has
// another form than the base URL, that of the first request of the call counts.
func (x *exchange) isOwn(host string) bool {
	base := &x.service.base
	if !base.HasPlainHost() {
		x.host.CompareAndSwap(nil, &host)
		return *x.host.Load() == host
	}
	return base.IsAuthority(host)
}

// stop ends a call that the base sends to another host.
func (x *exchange) stop(cancel func()) {
	x.elsewhere.Store(true)
	cancel()
	if info, ok := x.conn.Load().(*httptrace.GotConnInfo); ok && info.Conn != nil {
		info.Conn.Close() // what is written so far is still in a buffer
	}
}
