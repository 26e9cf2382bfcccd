package proxy_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token/internal/proxy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pipe is a listener with one connection, which works in virtual time.
type pipe struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipe) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipe) Close() error   { close(p.closed); return nil }
func (p *pipe) Addr() net.Addr { return &net.UnixAddr{Name: "proxy", Net: "unix"} }

// connect returns a connection to a proxy.
func connect(t *testing.T) (*http.Server, net.Conn) {
	srv := apivideotest.NewUnstartedServer()
	return connectTo(t, srv, srv.Transport())
}

// connectTo is connect with another way to the API.
func connectTo(t *testing.T, srv *apivideotest.Server, base http.RoundTripper) (*http.Server, net.Conn) {
	p, err := proxy.New(proxy.Config{
		Source: srv.Config().Source(srv.Context(t.Context())), BaseURL: srv.URL, Secret: secret,
		Hosts: []string{"localhost"}, Base: base,
	})
	require.NoError(t, err)
	client, conn := net.Pipe()
	l := &pipe{make(chan net.Conn, 1), make(chan struct{})}
	l.conns <- conn
	s := p.NewServer(p)
	go s.Serve(p.Watch(l))
	return s, client
}

// assertEnds sends the beginning of a request, and checks that the server ends in
// time although nothing follows.
func assertEnds(t *testing.T, s *http.Server, client net.Conn, beginning string) {
	defer client.Close()
	_, err := io.WriteString(client, beginning)
	require.NoError(t, err)
	synctest.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	assert.NoError(t, s.Shutdown(ctx))
	s.Close()
}

func TestProxyStrangersDelayNoShutdown(t *testing.T) {
	for name, head := range map[string]string{
		"auth call":     "POST /auth/api-key HTTP/1.1\r\nHost: localhost",
		"wrong host":    "POST /videos HTTP/1.1\r\nHost: evil.example",
		"no credential": "POST /videos HTTP/1.1\r\nHost: localhost",
		"wrong one":     "GET /videos HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer x",
		"asterisk":      "OPTIONS * HTTP/1.1\r\nHost: localhost",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, client := connect(t)
				go io.Copy(io.Discard, client)
				assertEnds(t, s, client, head+"\r\nContent-Length: 9\r\n\r\n")
			})
		})
	}
}

// early answers an upload without its body, which httputil closes. The answer is
// larger than net/http's buffer: its first part is written, and the rest of the
// upload is read, before the handler returns. It has a length: without one,
// httputil holds a mutex meanwhile, and virtual time stands still.
type early struct{}

func (early) RoundTrip(*http.Request) (*http.Response, error) {
	const size = 4096
	answer := httptest.NewRecorder()
	answer.Header().Set("Content-Length", strconv.Itoa(size))
	answer.WriteHeader(401)
	answer.Write(make([]byte, size))
	return answer.Result(), nil
}

// An upload token is no secret of the proxy.
func TestProxyRefusedUploadDelaysNoShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, client := connectTo(t, apivideotest.NewUnstartedServer(), early{})
		go io.Copy(io.Discard, client)
		assertEnds(t, s, client, "POST /upload?token=x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
	})
}

func TestProxyUnreadAnswerDelaysNoShutdown(t *testing.T) {
	for name, request := range map[string]string{
		"auth call":  "GET /auth/api-key HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"wrong host": "GET /videos HTTP/1.1\r\nHost: evil.example\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, client := connect(t)
				assertEnds(t, s, client, request)
			})
		})
	}
}

func TestProxySlowUploadIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, client := connect(t)
		defer s.Close()
		defer client.Close()
		req, err := http.NewRequest(http.MethodPost, "http://localhost/videos", io.MultiReader(
			strings.NewReader(`{"title"`), slow{time.Hour}, strings.NewReader(`:"A"}`)))
		require.NoError(t, err)
		req.SetBasicAuth(secret, "")
		go req.Write(client)
		resp, err := http.ReadResponse(bufio.NewReader(client), req)
		require.NoError(t, err)
		assert.Equal(t, 201, resp.StatusCode)
	})
}

// slow is a reader of nothing that takes its time.
type slow struct{ time.Duration }

func (s slow) Read([]byte) (int, error) {
	<-time.After(s.Duration)
	return 0, io.EOF
}
