package clients_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newProxy starts a reverse proxy in front of srv and returns its URL. The proxy
// adds the token to the requests of its clients. rewrite, if not nil, may change
// them.
func newProxy(t *testing.T, srv *apivideotest.Server, rewrite func(*httputil.ProxyRequest)) string {
	api, err := url.Parse(srv.URL)
	require.NoError(t, err)
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Transport: &apivideo.Transport{Source: srv.Config().Source(t.Context())},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(api)
			if rewrite != nil {
				rewrite(r)
			}
		},
	})
	t.Cleanup(proxy.Close)
	return proxy.URL
}

func TestReverseProxyReplaysRequestWithoutBody(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	srv.HandleFunc("GET /videos", func(w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusCreated, video) })
	proxied := newProxy(t, srv, nil)
	acrossTheLifeOfTokens(t, srv, func() error {
		resp, err := http.Get(proxied + "/videos")
		if err != nil {
			return err
		}
		return created(resp)
	})
}

// A body that comes from the network cannot be replayed.
func TestReverseProxyPassesOn401OfUpload(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	create := creating(http.DefaultClient, newProxy(t, srv, nil)+"/videos")
	require.NoError(t, create())
	srv.RevokeAccessTokens()
	assert.ErrorContains(t, create(), "401")
	require.Eventually(t, func() bool { return srv.Counters().Refreshed == 1 }, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, create())
	assert.Equal(t, apivideotest.Counters{
		AuthCalls: 2, Authenticated: 1, Refreshed: 1, Authorized: 2, Unauthorized: 1,
	}, srv.Counters())
}

func TestReverseProxyKeepsClientAuthorization(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	srv.HandleFunc("GET /videos", func(http.ResponseWriter, *http.Request) {})
	get := func(proxied string) int {
		req, err := http.NewRequest("GET", proxied+"/videos", nil)
		require.NoError(t, err)
		req.SetBasicAuth("a client", "of the proxy")
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		return resp.StatusCode
	}
	assert.Equal(t, http.StatusUnauthorized, get(newProxy(t, srv, nil)))
	assert.Zero(t, srv.Counters().AuthCalls)
	assert.Equal(t, http.StatusOK, get(newProxy(t, srv, func(r *httputil.ProxyRequest) {
		r.Out.Header.Del("Authorization")
	})))
}

// The answer comes in parts. The server sends the next part after the client has
// read the last one, until the client aborts the request.
func TestReverseProxyStreamsUntilAborted(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	read, ended := make(chan struct{}), make(chan struct{})
	srv.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		for r.Context().Err() == nil {
			io.WriteString(w, "encoding\n")
			w.(http.Flusher).Flush()
			select {
			case <-read:
			case <-r.Context().Done():
			}
		}
	})
	ctx, abort := context.WithTimeout(t.Context(), time.Minute)
	defer abort()
	req, err := http.NewRequestWithContext(ctx, "GET", newProxy(t, srv, nil)+"/events", nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for range 3 {
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		assert.Equal(t, "encoding\n", line)
		read <- struct{}{}
	}
	abort()
	<-ended
}
