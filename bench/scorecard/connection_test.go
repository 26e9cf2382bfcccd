package scorecard

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// deadConnection has auth calls go over HTTP/2 and TLS to a server that pipes
// connect. API requests do not.
func deadConnection(t *testing.T, w *world) bool {
	network := &pipes{accepted: make(chan net.Conn), closed: make(chan struct{})}
	var overHTTP2 atomic.Bool
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.calls.Add(1)
		overHTTP2.Store(overHTTP2.Load() || r.ProtoMajor == 2)
		w.server.ServeHTTP(rw, r)
	}))
	srv.Listener.Close()
	srv.Listener, srv.EnableHTTP2 = network, true
	srv.StartTLS()
	defer srv.Close()
	base := srv.Client().Transport.(*http.Transport)
	base.DialContext = network.dial
	defer base.CloseIdleConnections()

	setup := w.setup()
	w.url = srv.URL
	setup.BaseURL, setup.Auth = srv.URL, w.peer.Speak(base)
	w.client = mustClient(t, w.peer, setup)
	time.AfterFunc(30*time.Minute, network.kill)
	w.visits(80*time.Minute, pause, patience)
	network.hangUp()
	if !overHTTP2.Load() {
		t.Error("no auth call went over HTTP/2")
	}
	return w.failed == 0
}

// pipes is a network of one server, in memory.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once

	mu    sync.Mutex
	conns []*mortal
}

// dial connects to the server.
func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	dead := new(atomic.Bool)
	near, far := &mortal{client, dead}, &mortal{server, dead}
	p.mu.Lock()
	p.conns = append(p.conns, near, far)
	p.mu.Unlock()
	select {
	case p.accepted <- far:
		return near, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.accepted:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443} }

// kill has all connections lose what is sent from now on.
func (p *pipes) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.conns {
		conn.dead.Store(true)
	}
}

// hangUp closes all connections.
func (p *pipes) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.conns {
		conn.Conn.Close()
	}
}

// mortal is an end of a connection.
type mortal struct {
	net.Conn
	dead *atomic.Bool // shared with the other end
}

func (m *mortal) Write(p []byte) (int, error) {
	if m.dead.Load() {
		return len(p), nil
	}
	return m.Conn.Write(p)
}
