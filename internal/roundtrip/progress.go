package roundtrip

import (
	"context"
	"io"
	"net"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
)

// Service is where auth calls go.
type Service interface {
	IsTLS() bool
	HasPlainHost() bool // a Host header shows the host as it is in the base URL
	IsAuthority(host string) bool
}

// Progress is how far an auth call got. It is atomic, because the call may return
// while its request still runs.
type Progress struct {
	Dialing, Connected atomic.Bool // a connection was requested, and obtained
	Read               atomic.Bool // the body was read: it may have been sent
	Elsewhere          atomic.Bool // the base sent a request to another host
	conn               atomic.Pointer[httptrace.GotConnInfo]
	host               atomic.Pointer[string] // the first Host header
}

// Trace returns a context that records in p whether there was a connection. It
// also ends the call before its body is written if the request goes to another
// host, or without TLS: a base that follows redirects may send a copy of the body
// there.
func (p *Progress) Trace(ctx context.Context, cancel func(), service Service) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { p.Dialing.Store(true) },
		GotConn: func(info httptrace.GotConnInfo) {
			p.Connected.Store(true)
			p.conn.Store(&info)
			if _, plain := info.Conn.(*net.TCPConn); plain && service.IsTLS() {
				p.stop(cancel)
			}
		},
		WroteHeaderField: func(name string, values []string) {
			if (name == "Host" || name == ":authority") && !p.isOwn(strings.Join(values, ","), service) {
				p.stop(cancel)
			}
		},
	})
}

// isOwn reports whether a Host header is that of service. If the header has another
// form than the base URL, that of the first request of the call counts.
func (p *Progress) isOwn(host string, service Service) bool {
	if !service.HasPlainHost() {
		p.host.CompareAndSwap(nil, &host)
		return *p.host.Load() == host
	}
	return service.IsAuthority(host)
}

// stop ends a call that the base sends to another host.
func (p *Progress) stop(cancel func()) {
	p.Elsewhere.Store(true)
	cancel()
	if info := p.conn.Load(); info != nil && info.Conn != nil {
		info.Conn.Close() // what is written so far is still in a buffer
	}
}

// Watch returns a reader that records in p that it was read.
func (p *Progress) Watch(r io.Reader) io.Reader { return &watched{r, &p.Read} }

type watched struct {
	io.Reader
	read *atomic.Bool
}

func (w *watched) Read(p []byte) (int, error) {
	w.read.Store(true)
	return w.Reader.Read(p)
}
