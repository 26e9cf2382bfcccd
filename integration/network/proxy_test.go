package network_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/internal/childtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	hostName = "api.example.com" // which only the HTTP proxy can reach
	password = "made-up-password-of-the-proxy"
	childURL = "APIVIDEO_CHILD_URL" // set for a process that a test starts
)

// gateway is an HTTP proxy with the only path to the service. It looks for secrets
// in everything that passes through it.
type gateway struct {
	*service
	proxy   *httptest.Server
	refusal atomic.Int64 // the status of its answers, 0 to open tunnels

	mu    sync.Mutex
	asked map[string]bool // what it was asked for
}

func newGateway(t *testing.T) *gateway {
	g := &gateway{service: newSecured(t), asked: map[string]bool{}}
	g.conf.BaseURL = "https://" + hostName
	g.proxy = httptest.NewServer(http.HandlerFunc(g.serveProxy))
	t.Cleanup(g.proxy.Close)
	return g
}

func (g *gateway) serveProxy(w http.ResponseWriter, r *http.Request) {
	dump, _ := httputil.DumpRequest(r, true)
	g.Write(dump)
	g.mu.Lock()
	g.asked[r.Method+" "+r.Host] = true
	g.mu.Unlock()
	if status := g.refusal.Load(); status != 0 {
		w.WriteHeader(int(status))
		return
	}
	service, err := net.Dial("tcp", g.host.Listener.Addr().String())
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	program, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	io.WriteString(program, "HTTP/1.1 200 Connection established\r\n\r\n")
	var tunnel sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{program: service, service: program} {
		tunnel.Go(func() {
			io.Copy(to, io.TeeReader(from, g))
			to.Close()
		})
	}
	tunnel.Wait()
}

// assertConnectsAlone checks that the proxy got only CONNECT requests.
func (g *gateway) assertConnectsAlone(t *testing.T) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	assert.Equal(t, map[string]bool{"CONNECT " + hostName + ":443": true}, g.asked)
}

// way returns a path that leads to the proxy, and through it.
func (g *gateway) way(t *testing.T) *path {
	p := newPath(t, g.proxy.Listener.Addr().String())
	p.TLSClientConfig = g.trusted()
	p.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: "proxy.example.test:3128", User: url.UserPassword("made-up", password)})
	return p
}

func TestHTTPProxySeesOnlyHost(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	resp, err := g.conf.Client(over(t, g.way(t))).Get(g.conf.BaseURL + "/videos")
	require.NoError(t, err)
	assert.Equal(t, videos, body(t, resp))
	assert.EqualValues(t, 2, g.requests.Load(), "an auth call and a request")
	g.assertConnectsAlone(t)
}

func TestHTTPProxyRefusalIsNamedAndSeldomTried(t *testing.T) {
	t.Parallel()
	refuses := func(status int64) func(*testing.T, *gateway, *path) {
		return func(_ *testing.T, g *gateway, p *path) {
			p.CloseIdleConnections()
			g.refusal.Store(status)
		}
	}
	for text, c := range map[string]struct {
		begin, end func(*testing.T, *gateway, *path)
	}{
		"Proxy Authentication Required": {refuses(407), refuses(0)},
		"Service Unavailable":           {refuses(503), refuses(0)},
		"connection refused": {
			func(t *testing.T, _ *gateway, p *path) { shuts(t, p) },
			func(t *testing.T, _ *gateway, p *path) { opens(t, p) },
		},
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t)
			way := g.way(t)
			source := g.conf.Source(over(t, way))
			_, err := source.Token()
			require.NoError(t, err)
			c.begin(t, g, way)
			flights, err := g.besiege(t, func() error {
				_, err := source.Renew(t.Context())
				return err
			})
			g.failure(t, err)
			assert.ErrorContains(t, err, text)
			assert.LessOrEqual(t, way.trips.Load(), 1+flights*4, "with the refresh token, and three times with the key")
			assert.EqualValues(t, 1, g.requests.Load())
			c.end(t, g, way)
			assert.Equal(t, []op{refresh}, g.renews(t, source), "the refresh token was not sent")
			g.assertConnectsAlone(t)
		})
	}
}

// child is a program that has the proxy and the trusted certificates only from its
// environment.
func child(base string) int {
	conf := &apivideo.Config{APIKey: os.Getenv("APIVIDEO_API_KEY"), BaseURL: base}
	resp, err := conf.Client(context.Background()).Get(base + "/videos")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	if _, err := io.Copy(os.Stdout, resp.Body); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// run runs the child and returns what it prints.
func (g *gateway) run(t *testing.T) (string, error) {
	t.Helper()
	certificate := filepath.Join(t.TempDir(), "certificate.pem")
	require.NoError(t, os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: g.host.Certificate().Raw}), 0o600))
	command := childtest.Self(childURL+"="+g.conf.BaseURL, "APIVIDEO_API_KEY="+g.conf.APIKey,
		"HTTPS_PROXY=http://made-up:"+password+"@"+g.proxy.Listener.Addr().String(),
		"NO_PROXY=", "no_proxy=", "SSL_CERT_FILE="+certificate)
	output, err := command.CombinedOutput()
	g.Write(output)
	return string(output), err
}

func TestHTTPProxyOfEnvironmentIsUsed(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	output, err := g.run(t)
	require.NoError(t, err, output)
	assert.Equal(t, videos, output)
	assert.EqualValues(t, 2, g.requests.Load())
	g.assertConnectsAlone(t)
}

func TestHTTPProxyOfEnvironmentIsNamed(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	g.refusal.Store(407)
	output, err := g.run(t)
	assert.Error(t, err)
	assert.Contains(t, output, "apivideo: authenticate: POST https://api.example.com/auth/api-key: Proxy Authentication Required")
	assert.Zero(t, g.requests.Load())
}
