// Package trace follows an auth call: whether there was a connection, and whether
// the call took a way that it must not take.
package trace

import (
	"context"
	"io"
	"net"
	"net/http"
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
	detour             atomic.Int32
	reached            atomic.Bool // a request went to the service's host
	conn               atomic.Pointer[httptrace.GotConnInfo]
	host               atomic.Pointer[string] // the first Host header
	addr               atomic.Pointer[string] // of the connection that was requested last
}

// Detour is a way that an auth call must not take.
type Detour int32

const (
	NoDetour    Detour = iota
	Redirected         // the base followed a redirect of the service
	Rewritten          // the base sent the request to another URL
	Unencrypted        // the base made a connection without TLS
)

// Detour returns the first detour of the call.
func (p *Progress) Detour() Detour { return Detour(p.detour.Load()) }

// Answered notes the request that was answered, which the base may not say. ok is
// false if it is not for this URL.
func (p *Progress) Answered(sent *http.Request, url string) (ok bool) {
	if sent == nil || sent.URL == nil || sent.URL.String() == url {
		return true
	}
	detour := Rewritten
	if sent.Response != nil {
		detour = Redirected
	}
	p.detour.CompareAndSwap(0, int32(detour))
	return false
}

// Trace returns a context that records in p whether there was a connection. It
// also ends the call before its body is written if the request goes to another
// host, or without TLS: a base that follows redirects may send a copy of the body
// there.
func (p *Progress) Trace(ctx context.Context, cancel func(), service Service) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(addr string) {
			p.Dialing.Store(true)
			p.addr.Store(&addr)
		},
		GotConn: func(info httptrace.GotConnInfo) {
			p.Connected.Store(true)
			p.conn.Store(&info)
			if _, plain := info.Conn.(*net.TCPConn); plain && service.IsTLS() {
				detour := p.elsewhere()
				if addr := p.addr.Load(); addr != nil && service.IsAuthority(*addr) {
					detour = Unencrypted
				}
				p.stop(detour, cancel)
			}
		},
		WroteHeaderField: func(name string, values []string) {
			switch {
			case name != "Host" && name != ":authority":
			case p.isOwn(strings.Join(values, ","), service):
				p.reached.Store(true)
			default:
				p.stop(p.elsewhere(), cancel)
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

// elsewhere is why a request goes to another host: only an answer of the service
// redirects.
func (p *Progress) elsewhere() Detour {
	if p.reached.Load() {
		return Redirected
	}
	return Rewritten
}

// stop ends a call that takes a detour.
func (p *Progress) stop(detour Detour, cancel func()) {
	p.detour.CompareAndSwap(0, int32(detour))
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
