package proxy_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token/internal/proxy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// network is a proxy that any number of clients connect to, in virtual time.
type network struct {
	t   *testing.T
	srv *apivideotest.Server
	*pipe
	server *http.Server
}

func newNetwork(t *testing.T) *network { return newNetworkTo(t, nil) }

// newNetworkTo is newNetwork with another way to the API, or nil.
func newNetworkTo(t *testing.T, base http.RoundTripper) *network {
	srv := apivideotest.NewUnstartedServer()
	if base == nil {
		base = srv.Transport()
	}
	p, err := proxy.New(proxy.Config{
		Source: srv.Config().Source(srv.Context(t.Context())), BaseURL: srv.URL, Secret: secret,
		Hosts: []string{"localhost"}, Base: base,
	})
	require.NoError(t, err)
	n := &network{t, srv, &pipe{make(chan net.Conn), make(chan struct{})}, p.NewServer(p)}
	go n.server.Serve(p.Watch(n.pipe))
	t.Cleanup(func() { n.server.Close() })
	return n
}

// client is a connection and what came over it.
type client struct {
	net.Conn
	in *bufio.Reader
}

func (n *network) connect() *client {
	here, there := net.Pipe()
	n.conns <- there
	n.t.Cleanup(func() { here.Close() })
	return &client{here, bufio.NewReader(here)}
}

// get makes a request over the connection.
func (c *client) get(t *testing.T, path string, authorized bool) int {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://localhost"+path, nil)
	require.NoError(t, err)
	if authorized {
		req.SetBasicAuth(secret, "")
	}
	go req.Write(c)
	resp, err := http.ReadResponse(c.in, req)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	return resp.StatusCode
}

// open returns for how long the proxy leaves an idle connection open.
func (c *client) open(t *testing.T) time.Duration {
	start := time.Now()
	_, err := c.in.ReadByte()
	assert.Error(t, err)
	return time.Since(start)
}

// Promise: The proxy closes a connection without the secret after 10 seconds, and an idle one after a minute.
func TestIdleStrangerIsClosedAfterTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		assert.Equal(t, 10*time.Second, n.connect().open(t), "that has sent nothing")
		answered := n.connect()
		assert.Equal(t, 401, answered.get(t, "/videos", false))
		assert.Equal(t, 10*time.Second, answered.open(t), "that has sent no secret")
		probe := n.connect()
		for range 4 {
			assert.Equal(t, 200, probe.get(t, "/livez", false))
			time.Sleep(2 * time.Second)
		}
		assert.Equal(t, 2*time.Second, probe.open(t), "that sends requests")
	})
}

func TestLongHeaderIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newNetwork(t).connect()
		go io.WriteString(c, "GET /videos HTTP/1.1\r\nHost: localhost\r\nX-Long: "+strings.Repeat("x", 100<<10)+"\r\n\r\n")
		resp, err := http.ReadResponse(c.in, nil)
		require.NoError(t, err)
		assert.Equal(t, http.StatusRequestHeaderFieldsTooLarge, resp.StatusCode)
		c.Close()
		time.Sleep(time.Second) // the server waits a moment
	})
}

// Promise: The proxy closes a connection without the secret after 10 seconds, and an idle one after a minute.
func TestIdleOwnerIsClosedAfterAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		owner := n.connect()
		for range 5 {
			assert.Equal(t, 200, owner.get(t, "/videos", true))
			time.Sleep(50 * time.Second)
		}
		assert.Equal(t, 10*time.Second, owner.open(t))
	})
}

func TestCrowdKeepsNoOwnerOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		owner := n.connect()
		require.Equal(t, 200, owner.get(t, "/videos", true))
		crowd := make([]*client, 600)
		for i := range crowd {
			crowd[i] = n.connect()
		}
		synctest.Wait()
		closed := 0
		for _, c := range crowd {
			c.SetReadDeadline(time.Now())
			if _, err := c.Read(make([]byte, 1)); err == io.EOF {
				closed++
			}
		}
		assert.Equal(t, 600-128, closed, "the oldest")
		assert.Equal(t, 200, owner.get(t, "/videos", true), "over the connection that was there")
		assert.Equal(t, 200, n.connect().get(t, "/videos", true), "over a new one")
	})
}

// reads is an API that takes uploads. Its answers have a length, see early.
type reads struct{}

func (reads) RoundTrip(req *http.Request) (*http.Response, error) {
	defer req.Body.Close()
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		return nil, err
	}
	answer := httptest.NewRecorder()
	answer.Header().Set("Content-Length", "0")
	answer.WriteHeader(201)
	return answer.Result(), nil
}

// upload sends the beginning of a delegated upload.
func (c *client) upload(t *testing.T, length string) {
	_, err := io.WriteString(c, "POST /upload?token=x HTTP/1.1\r\nHost: localhost\r\nContent-Length: "+length+"\r\n\r\nbytes")
	require.NoError(t, err)
	synctest.Wait()
}

// A stranger needs no upload token that is valid.
//
// Promise: Without the secret, 8 delegated uploads run at a time, each with 10 seconds between bytes.
func TestUploadsOfStrangersAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetworkTo(t, reads{})
		var slow []*client
		for range 8 {
			c := n.connect()
			c.upload(t, "1000000000")
			slow = append(slow, c)
		}
		ninth := n.connect()
		ninth.upload(t, "5")
		resp, err := http.ReadResponse(ninth.in, nil)
		require.NoError(t, err)
		assert.Equal(t, 503, resp.StatusCode)
		assert.Equal(t, "10", resp.Header.Get("Retry-After"))
		for range 5 { // a byte in time keeps an upload
			time.Sleep(9 * time.Second)
			_, err := io.WriteString(slow[0], "b")
			require.NoError(t, err)
		}
		for _, c := range slow[1:] {
			c.SetReadDeadline(time.Now().Add(time.Millisecond))
			_, err := io.Copy(io.Discard, c)
			assert.NoError(t, err, "the proxy has closed it")
		}
		last := n.connect()
		last.upload(t, "5")
		resp, err = http.ReadResponse(last.in, nil)
		require.NoError(t, err)
		assert.NotEqual(t, 503, resp.StatusCode, "there is room again")
	})
}

func TestUploadWithTheSecretHasNoLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetworkTo(t, reads{})
		c := n.connect()
		req, err := http.NewRequest(http.MethodPost, "http://localhost/upload?token=x", io.MultiReader(
			strings.NewReader("a"), slow{time.Hour}, strings.NewReader("b")))
		require.NoError(t, err)
		req.SetBasicAuth(secret, "")
		go req.Write(c)
		resp, err := http.ReadResponse(c.in, req)
		require.NoError(t, err)
		assert.Equal(t, 201, resp.StatusCode)
	})
}
