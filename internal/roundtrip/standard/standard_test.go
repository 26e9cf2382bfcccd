package standard_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	apivideo "github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/internal/roundtrip/standard"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tripper is a RoundTripper made of a function.
type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// counted passes requests on, and counts them by their paths.
type counted struct {
	next func() http.RoundTripper

	mu   sync.Mutex
	seen map[string]int
}

func newCounted(next http.RoundTripper) *counted {
	return &counted{next: func() http.RoundTripper { return next }, seen: map[string]int{}}
}

func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.seen[r.URL.Path]++
	c.mu.Unlock()
	return c.next().RoundTrip(r)
}

func (c *counted) CloseIdleConnections() { standard.CloseIdleConnections(c.next()) }

// api is a fake service that is http.DefaultTransport during the test.
func api(t *testing.T) (srv *apivideotest.Server, net *counted) {
	srv = apivideotest.NewUnstartedServer()
	srv.HandleFunc("/videos", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "[]") })
	net = newCounted(srv.Transport())
	old := http.DefaultTransport
	t.Cleanup(func() { http.DefaultTransport = old })
	http.DefaultTransport = net
	return srv, net
}

func get(t *testing.T, client *http.Client, url string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	require.NoError(t, err)
	resp, err := client.Do(req)
	require.NoError(t, err)
	assert.Equal(t, 200, resp.StatusCode)
	assert.Same(t, req, resp.Request)
	require.NoError(t, resp.Body.Close())
}

// once is what a RoundTripper sees of a login and a request.
var once = map[string]int{"/auth/api-key": 1, "/videos": 1}

// Promise: Without a base, requests and auth calls use http.DefaultTransport as it is at each request.
func TestDefaultReplacedLater(t *testing.T) {
	srv, _ := api(t)
	http.DefaultTransport = tripper(func(*http.Request) (*http.Response, error) { panic("the network is reached") })
	client := srv.Config().Client(t.Context())
	mock := newCounted(srv.Transport())
	http.DefaultTransport = mock
	get(t, client, srv.URL+"/videos")
	assert.Equal(t, once, mock.seen)
}

// Promise: A Transport, or a RoundTripper around one, may be http.DefaultTransport.
func TestDefaultLeadsBack(t *testing.T) {
	for name, install := range map[string]func(srv *apivideotest.Server) *counted{
		"a Transport": func(srv *apivideotest.Server) *counted {
			http.DefaultTransport = srv.Config().Client(t.Context()).Transport
			return nil
		},
		"a wrapper": func(srv *apivideotest.Server) *counted {
			c := newCounted(srv.Config().Client(t.Context()).Transport)
			http.DefaultTransport = c
			return c
		},
		"the wrapped Transport": func(srv *apivideotest.Server) *counted {
			inner := srv.Config().Client(t.Context()).Transport
			http.DefaultTransport, http.DefaultClient = newCounted(inner), &http.Client{Transport: inner}
			return nil
		},
		"one Source over another": func(srv *apivideotest.Server) *counted {
			http.DefaultTransport = srv.Config().Client(t.Context()).Transport
			http.DefaultTransport = srv.Config().Client(t.Context()).Transport
			return nil
		},
		"two Sources beside each other": func(srv *apivideotest.Server) *counted {
			one, two := srv.Config().Client(t.Context()).Transport, srv.Config().Client(t.Context()).Transport
			var n atomic.Int64
			c := &counted{seen: map[string]int{}, next: func() http.RoundTripper {
				if n.Add(1)%2 == 0 {
					return one
				}
				return two
			}}
			http.DefaultTransport = c
			return nil
		},
		"two Transports of a Source": func(srv *apivideotest.Server) *counted {
			src := srv.Config().Source(t.Context())
			http.DefaultTransport = newCounted(&apivideo.Transport{Source: src})
			http.DefaultClient = &http.Client{Transport: &apivideo.Transport{Source: src}}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			usual := http.DefaultClient
			t.Cleanup(func() { http.DefaultClient = usual })
			srv, net := api(t)
			wrapper := install(srv)
			get(t, http.DefaultClient, srv.URL+"/videos")
			http.DefaultClient.CloseIdleConnections()
			standard.CloseIdleConnections(http.DefaultTransport)
			assert.Equal(t, 1, net.seen["/videos"])
			if wrapper != nil {
				assert.Equal(t, map[string]int{"/auth/api-key": 1, "/videos": 2}, wrapper.seen, "on the way there, and back")
			}
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() { get(t, http.DefaultClient, srv.URL+"/videos") })
			}
			all.Wait()
			assert.Equal(t, 51, net.seen["/videos"])
			assert.Zero(t, srv.Counters().Unauthorized)
		})
	}
}

// A request that comes back has its token, and is no news.
func TestDefaultLeadsBackSilently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, _ := api(t)
		var log strings.Builder
		conf := srv.Config()
		conf.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		http.DefaultTransport = &apivideo.Transport{Source: conf.Source(t.Context())}
		get(t, http.DefaultClient, srv.URL+"/videos")
		synctest.Wait()
		assert.Contains(t, log.String(), "new access token")
		assert.NotContains(t, log.String(), "passed without a token")
	})
}

// Promise: While http.DefaultTransport is an *http.Transport, its use costs nothing.
func TestDefaultUsualCostsNothing(t *testing.T) {
	api(t)
	var sent context.Context
	resp := &http.Response{StatusCode: 200, Body: http.NoBody}
	usual := new(http.Transport)
	usual.RegisterProtocol("made-up", tripper(func(r *http.Request) (*http.Response, error) {
		sent = r.Context()
		return resp, nil
	}))
	var d standard.Transport
	d.Init()
	http.DefaultTransport = usual
	req, err := http.NewRequestWithContext(t.Context(), "GET", "made-up://host/", nil)
	require.NoError(t, err)
	direct := testing.AllocsPerRun(100, func() { usual.RoundTrip(req) })
	assert.Equal(t, direct, testing.AllocsPerRun(100, func() { d.RoundTrip(req) }))
	assert.Equal(t, t.Context(), context.Context(sent))
}

// Promise: If the base returns neither a response nor an error, the error names its type.
func TestDefaultNeither(t *testing.T) {
	srv, _ := api(t)
	client := srv.Config().Client(t.Context())
	get(t, client, srv.URL+"/videos")
	http.DefaultTransport = tripper(func(*http.Request) (*http.Response, error) { return nil, nil })
	_, err := client.Get(srv.URL + "/videos")
	assert.ErrorContains(t, err, "the base transport (standard_test.tripper) returned neither a response nor an error")
}
