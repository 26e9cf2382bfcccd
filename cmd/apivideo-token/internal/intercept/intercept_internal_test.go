package intercept

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token/internal/proxy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const secret = "made-up-secret-of-the-proxy"

// connect returns a connection to a host of an interceptor in virtual time.
func connectTo(t *testing.T, host string) *tls.Conn {
	srv := apivideotest.NewUnstartedServer()
	p, err := proxy.New(proxy.Config{
		Source: srv.Config().Source(srv.Context(t.Context())), BaseURL: srv.URL, Secret: secret, Base: srv.Transport(),
	})
	require.NoError(t, err)
	i, err := New(p, srv.URL, func(h http.Handler) http.Handler { return h })
	require.NoError(t, err)
	t.Cleanup(func() { i.server.Close() })
	outer, q := p.NewServer(i), newQueue()
	go outer.Serve(p.Watch(q))
	t.Cleanup(func() { outer.Close() })
	here, there := net.Pipe()
	require.True(t, q.put(there))
	t.Cleanup(func() { here.Close() })
	_, err = io.WriteString(here, "CONNECT "+host+":443 HTTP/1.1\r\nHost: "+host+":443\r\n\r\n")
	require.NoError(t, err)
	answer := make([]byte, len(established))
	_, err = io.ReadFull(here, answer)
	require.NoError(t, err)
	require.Equal(t, established, string(answer))
	pool := x509.NewCertPool()
	pool.AddCert(i.authority.cert)
	return tls.Client(here, &tls.Config{RootCAs: pool, ServerName: host})
}

func get(t *testing.T, conn net.Conn, in *bufio.Reader, authorized bool) int {
	req, err := http.NewRequest(http.MethodGet, "https://ws.api.video/videos", nil)
	require.NoError(t, err)
	if authorized {
		req.SetBasicAuth(secret, "")
	}
	require.NoError(t, req.Write(conn))
	resp, err := http.ReadResponse(in, req)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	return resp.StatusCode
}

// A CONNECT to the API needs no secret, since Java sends none. The request that
// follows does.
func TestInterceptedConnectionIsLimited(t *testing.T) {
	for authorized, want := range map[bool]time.Duration{false: 10 * time.Second, true: time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			conn := connectTo(t, "ws.api.video")
			in := bufio.NewReader(conn)
			status := map[bool]int{false: 401, true: 200}[authorized]
			assert.Equal(t, status, get(t, conn, in, authorized))
			start := time.Now()
			_, err := in.ReadByte()
			assert.Error(t, err)
			assert.Equal(t, want, time.Since(start))
		})
	}
	synctest.Test(t, func(t *testing.T) { // nothing follows, not even a handshake
		start := time.Now()
		_, err := connectTo(t, "ws.api.video").NetConn().Read(make([]byte, 1))
		assert.Error(t, err)
		assert.Equal(t, 10*time.Second, time.Since(start))
	})
}
