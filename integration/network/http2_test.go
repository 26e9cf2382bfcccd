package network_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
)

// detour is a transport for HTTP/2 that connects to an address that can change.
type detour struct {
	*http.Transport
	address atomic.Value
}

func newDetour(t *testing.T, s *service) *detour {
	d := &detour{Transport: transport(t, s.trusted())}
	d.leadTo(s.host.Listener)
	d.ForceAttemptHTTP2 = true
	d.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, d.address.Load().(string))
	}
	return d
}

func (d *detour) leadTo(l net.Listener) { d.address.Store(l.Addr().String()) }

func TestHTTP2ShutdownDuringRenewalCostsNothing(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	successor := httptest.NewUnstartedServer(s.host.Config.Handler)
	successor.EnableHTTP2 = true
	successor.StartTLS()
	t.Cleanup(successor.Close)
	d := newDetour(t, s)
	source := s.conf.Source(over(t, d))
	client := source.Client(over(t, d))
	get := func() {
		resp, err := client.Get(s.conf.BaseURL + "/videos")
		if assert.NoError(t, err) {
			assert.Equal(t, 2, resp.ProtoMajor)
			assert.Equal(t, videos, body(t, resp))
		}
	}
	get()
	stop := load(get)
	defer stop()
	s.SetAuthLatency(500 * time.Millisecond)
	renewed := renewal(source)
	require.Eventually(t, func() bool { return len(s.authCalls()) == 2 }, patience, time.Millisecond)
	d.leadTo(successor.Listener)
	require.NoError(t, s.host.Config.Shutdown(t.Context()))
	assert.NoError(t, receive(t, renewed))
	before := s.requests.Load()
	require.Eventually(t, func() bool { return s.requests.Load() > before+100 }, patience, time.Millisecond)
	stop()
	assert.Equal(t, []op{authenticate, refresh}, s.authCalls())
	assert.EqualValues(t, 1, s.connections.Load())
}

// load calls f again and again in 8 goroutines, until stop is called.
func load(f func()) (stop func()) {
	var stopped atomic.Bool
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for !stopped.Load() {
				f()
			}
		})
	}
	return func() {
		stopped.Store(true)
		callers.Wait()
	}
}

func TestHTTP2GoAwayDuringRenewal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		processed uint32 // the last stream that the server says it has looked at
		arrived   []op
	}{
		// The refresh is not sent again: without a GetBody no base can do so.
		"before it looked at the call":    {0, []op{authenticate, authenticate}},
		"nobody knows how far it had got": {1, []op{authenticate, authenticate}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSecured(t)
			d := newDetour(t, s)
			source := s.conf.Source(over(t, d))
			client := source.Client(over(t, d))
			_, err := source.Token()
			require.NoError(t, err)
			d.CloseIdleConnections()
			l := s.listen(t)
			d.leadTo(l)
			reached, left := make(chan struct{}), make(chan error, 1)
			go func() {
				left <- goAway(l, c.processed, reached, func() { d.leadTo(s.host.Listener) })
			}()
			renewed := renewal(source)
			receive(t, reached)
			resp, err := client.Get(s.conf.BaseURL + "/videos") // on the same connection
			require.NoError(t, err)
			assert.Equal(t, videos, body(t, resp))
			assert.NoError(t, receive(t, renewed))
			assert.NoError(t, receive(t, left))
			assert.Equal(t, c.arrived, s.authCalls(), "at the server that stayed")
		})
	}
}

// listen returns a listener for HTTP/2 with the certificate of the service.
func (s *service) listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", s.host.TLS)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// goAway accepts one connection. When two requests have come over it, goAway
// ends it with a GOAWAY that names the last stream it has processed. It closes
// reached after the first request, and calls leave before it ends the
// connection.
func goAway(l net.Listener, processed uint32, reached chan<- struct{}, leave func()) error {
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return err
	}
	framer := http2.NewFramer(conn, conn)
	if err := framer.WriteSettings(); err != nil {
		return err
	}
	for requests := 0; requests < 2; {
		frame, err := framer.ReadFrame()
		if err != nil {
			return err
		}
		if end, ok := frame.(interface{ StreamEnded() bool }); !ok || !end.StreamEnded() {
			continue
		}
		if requests++; requests == 1 {
			close(reached)
		}
	}
	leave()
	if err := framer.WriteGoAway(processed, http2.ErrCodeNo, nil); err != nil {
		return err
	}
	// What was not read would reset the connection, and overtake the GOAWAY.
	conn.(*tls.Conn).CloseWrite()
	io.Copy(io.Discard, conn)
	return nil
}
