package network_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/integration/internal/leftover"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Faults, as toxiproxy plays them; on what comes from the service unless they
// name the other stream.
const (
	reset     = `{"type":"reset_peer","attributes":{"timeout":0}}`
	silence   = `{"type":"timeout","stream":"upstream","attributes":{"timeout":0}}`
	slowness  = `{"type":"latency","attributes":{"latency":2000,"jitter":500}}`
	dripping  = `{"type":"slicer","attributes":{"average_size":1}}`
	lingering = `{"type":"slow_close","attributes":{"delay":60000}}`
	noAnswer  = `{"type":"limit_data","attributes":{"bytes":0}}`
	cut       = `{"type":"limit_data","attributes":{"bytes":700}}` // in the body of a token
	cutShort  = `{"type":"limit_data","attributes":{"bytes":280}}` // in the body of a refusal
	halved    = `{"type":"slicer","attributes":{"average_size":1000,"delay":60000000}}`
)

// path leads to the service, through a proxy that plays faults. It is an
// http.RoundTripper.
type path struct {
	*http.Transport
	proxy *toxiproxy.Proxy
	trips atomic.Int64 // requests
	conns leftover.Connections
}

// paths counts them.
var paths atomic.Int64

func newPath(t *testing.T, to string) *path {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	// On a separate address, nobody else takes the port while it is closed.
	address := fmt.Sprintf("127.%d.%d.1:0", os.Getpid()%200+1, paths.Add(1)%256)
	p := &path{proxy: toxiproxy.NewProxy(server, t.Name(), address, to)}
	require.NoError(t, p.proxy.Start())
	p.Transport = &http.Transport{DialContext: p.dial}
	t.Cleanup(func() {
		p.CloseIdleConnections()
		assert.Eventually(t, func() bool { return p.conns.Open() == 0 }, patience, 10*time.Millisecond, "connections are left")
		p.mend()
		p.proxy.Stop()
	})
	return p
}

func (p *path) RoundTrip(req *http.Request) (*http.Response, error) {
	p.trips.Add(1)
	return p.Transport.RoundTrip(req)
}

// dial reaches the proxy, whatever address is asked for.
func (p *path) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	return p.conns.Dial(ctx, network, p.proxy.Listen)
}

// play applies the fault to all new connections.
func (p *path) play(t *testing.T, fault string) {
	t.Helper()
	p.CloseIdleConnections()
	_, err := p.proxy.Toxics.AddToxicJson(strings.NewReader(fault))
	require.NoError(t, err)
}

// mend ends the faults. Connections that one of them has kept silent break.
func (p *path) mend() { p.proxy.Toxics.ResetToxics(context.Background()) }

// The faults of tables: how they begin, and how they end.

func plays(fault string) func(*testing.T, *path) {
	return func(t *testing.T, p *path) { p.play(t, fault) }
}

func mends(_ *testing.T, p *path) { p.mend() }

func shuts(_ *testing.T, p *path) {
	p.CloseIdleConnections()
	p.proxy.Stop()
}

func opens(t *testing.T, p *path) { require.NoError(t, p.proxy.Start()) }

// network is the service, and a program whose auth calls and requests take
// separate paths to it.
type network struct {
	*service
	auth, api *path
	source    *apivideo.Source
	client    *http.Client
}

func newNetwork(t *testing.T) *network {
	n := &network{service: newService(t, (*httptest.Server).Start)}
	address := n.host.Listener.Addr().String()
	n.auth, n.api = newPath(t, address), newPath(t, address)
	n.source = n.conf.Source(over(t, n.auth))
	n.client = &http.Client{Transport: &apivideo.Transport{Source: n.source, Base: n.api}}
	return n
}

// get makes a request that must succeed.
func (n *network) get(t *testing.T) {
	t.Helper()
	resp, err := n.client.Get(n.conf.BaseURL + "/videos")
	require.NoError(t, err)
	assert.Equal(t, 200, resp.StatusCode)
	assert.Equal(t, videos, body(t, resp))
}
