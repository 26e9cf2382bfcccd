package network_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
)

// forgetful is a network that can forget its connections, as a NAT gateway does:
// what is sent over them is lost, and nobody is told.
type forgetful struct {
	to string

	mu   sync.Mutex // guards what follows
	lost chan struct{}
	open int // connections that are not forgotten
}

// listen accepts connections until the end of the test.
func (f *forgetful) listen(t *testing.T) string {
	t.Helper()
	f.lost = make(chan struct{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var relays sync.WaitGroup
	relays.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			relays.Go(func() { f.relay(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		relays.Wait()
	})
	return l.Addr().String()
}

// relay serves one connection until the program closes it.
func (f *forgetful) relay(program net.Conn) {
	defer program.Close()
	service, err := net.Dial("tcp", f.to)
	if err != nil {
		return
	}
	defer service.Close()
	f.mu.Lock()
	lost := f.lost
	f.open++
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.lost == lost {
			f.open--
		}
	}()
	go func() {
		io.Copy(program, service)
		select {
		case <-lost:
		default:
			program.Close()
		}
	}()
	chunk := make([]byte, 32<<10)
	for {
		n, err := program.Read(chunk)
		if err != nil {
			return
		}
		select {
		case <-lost:
		default:
			service.Write(chunk[:n])
		}
	}
}

// forget loses the connections that there are. The service sees them end.
func (f *forgetful) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.lost)
	f.lost, f.open = make(chan struct{}), 0
}

func (f *forgetful) left() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open
}

// hiding is a base that does not show its *http.Transport.
type hiding struct{ base *http.Transport }

func (h hiding) RoundTrip(r *http.Request) (*http.Response, error) { return h.base.RoundTrip(r) }
func (h hiding) CloseIdleConnections()                             { h.base.CloseIdleConnections() }

// deadBases are HTTP clients whose connections the network forgets.
var deadBases = map[string]struct {
	major int // of HTTP
	make  func(t *testing.T, tr *http.Transport) http.RoundTripper
	keeps bool // its new connections are not closed after use
}{
	"http.Transport": {2, func(t *testing.T, tr *http.Transport) http.RoundTripper {
		tr.ForceAttemptHTTP2 = true
		return tr
	}, false},
	"configured by x/net/http2": {2, func(t *testing.T, tr *http.Transport) http.RoundTripper {
		//lint:ignore SA1019 programs still use it
		require.NoError(t, http2.ConfigureTransport(tr))
		return tr
	}, false},
	"x/net/http2": {2, func(t *testing.T, tr *http.Transport) http.RoundTripper {
		//lint:ignore SA1019 programs still use it
		return &http2.Transport{DialTLSContext: func(ctx context.Context, network, address string, conf *tls.Config) (net.Conn, error) {
			conf = conf.Clone()
			conf.RootCAs = tr.TLSClientConfig.RootCAs
			conn, err := tr.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			secured := tls.Client(conn, conf)
			return secured, secured.HandshakeContext(ctx)
		}}
	}, true},
	"wrapped, HTTP/2": {2, func(t *testing.T, tr *http.Transport) http.RoundTripper {
		tr.ForceAttemptHTTP2 = true
		return hiding{tr}
	}, true},
	"HTTP/1.1":          {1, func(t *testing.T, tr *http.Transport) http.RoundTripper { return tr }, false},
	"wrapped, HTTP/1.1": {1, func(t *testing.T, tr *http.Transport) http.RoundTripper { return hiding{tr} }, true},
}

// Promise: An auth call without an answer is repeated over a new connection, and the renewal after it begins so.
func TestDeadConnectionIsUsedOnce(t *testing.T) {
	t.Parallel()
	for name, c := range deadBases {
		for _, refreshes := range []bool{true, false} {
			t.Run(name+map[bool]string{true: ", refresh", false: ", login"}[refreshes], func(t *testing.T) {
				t.Parallel()
				s := newSecured(t)
				way := &forgetful{to: s.host.Listener.Addr().String()}
				address := way.listen(t)
				tr := transport(t, s.trusted())
				tr.MaxIdleConnsPerHost = 8
				tr.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, network, address)
				}
				base := c.make(t, tr)
				t.Cleanup(func() { base.(interface{ CloseIdleConnections() }).CloseIdleConnections() })
				source := s.conf.Source(over(t, base))
				s.warm(t, source, base, c.major)
				way.forget()
				if refreshes {
					tok, err := source.Token()
					require.NoError(t, err)
					source.Invalidate(tok)
				} else {
					source = s.conf.Source(over(t, base))
				}
				ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
				defer cancel()
				_, err := source.TokenContext(ctx)
				s.hear(err)
				require.NoError(t, err)
				assert.EqualValues(t, 1, source.Stats().Failures, "attempts without an answer")

				// No renewal meets the dead connections again.
				_, err = source.Renew(t.Context())
				require.NoError(t, err)
				assert.EqualValues(t, 1, source.Stats().Failures)
				if !c.keeps {
					assert.Eventually(t, func() bool { return way.left() == 0 }, patience, 10*time.Millisecond, "connections are left")
				}
			})
		}
	}
}

// warm makes requests at the same time, so that there are idle connections.
func (s *service) warm(t *testing.T, source *apivideo.Source, base http.RoundTripper, major int) {
	t.Helper()
	var all sync.WaitGroup
	all.Add(3)
	s.HandleFunc("/warm", func(http.ResponseWriter, *http.Request) {
		all.Done()
		all.Wait()
	})
	client := &http.Client{Transport: &apivideo.Transport{Source: source, Base: base}}
	var requests sync.WaitGroup
	for range 3 {
		requests.Go(func() {
			resp, err := client.Get(s.conf.BaseURL + "/warm")
			if assert.NoError(t, err) {
				assert.Equal(t, major, resp.ProtoMajor)
				body(t, resp)
			}
		})
	}
	requests.Wait()
}
