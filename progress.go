package apivideo

import (
	"context"
	"io"
	"net"
	"net/http/httptrace"
	"strings"
	"sync/atomic"

	"github.com/apivideo/api.video-go-oauth2/internal/endpoint"
)

// progress is how far an auth call got. It is atomic, because the call may return
// while its request still runs.
type progress struct {
	dialing, connected atomic.Bool // a connection was requested, and obtained
	read               atomic.Bool // the body was read: it may have been sent
	elsewhere          atomic.Bool // the base sent a request to another host
	conn               atomic.Pointer[httptrace.GotConnInfo]
	host               atomic.Pointer[string] // the first Host header
}

// trace returns a context that records in p whether there was a connection. It
// also ends the call before its body is written if the request goes to another
// host, or without TLS: a base that follows redirects may send a copy of the body
// there.
func (p *progress) trace(ctx context.Context, cancel func(), base *endpoint.Endpoint) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { p.dialing.Store(true) },
		GotConn: func(info httptrace.GotConnInfo) {
			p.connected.Store(true)
			p.conn.Store(&info)
			if _, plain := info.Conn.(*net.TCPConn); plain && base.IsTLS() {
				p.stop(cancel)
			}
		},
		WroteHeaderField: func(name string, values []string) {
			if (name == "Host" || name == ":authority") && !p.isOwn(strings.Join(values, ","), base) {
				p.stop(cancel)
			}
		},
	})
}

// isOwn reports whether a Host header is that of base. If the header has another
// form than the base URL, that of the first request of the call counts.
func (p *progress) isOwn(host string, base *endpoint.Endpoint) bool {
	if !base.HasPlainHost() {
		p.host.CompareAndSwap(nil, &host)
		return *p.host.Load() == host
	}
	return base.IsAuthority(host)
}

// stop ends a call that the base sends to another host.
func (p *progress) stop(cancel func()) {
	p.elsewhere.Store(true)
	cancel()
	if info := p.conn.Load(); info != nil && info.Conn != nil {
		info.Conn.Close() // what is written so far is still in a buffer
	}
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
