package roundtrip_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apivideo "github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// secured is the fake service behind TLS. It breaks off the first calls, and notes
// the version of HTTP of each.
func secured(t *testing.T, breaks int) (conf *apivideo.Config, host *httptest.Server, versions func() []int) {
	srv := apivideotest.NewUnstartedServer()
	var mu sync.Mutex
	var seen []int
	versions = func() []int {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(seen)
	}
	host = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen = append(seen, r.ProtoMajor)
		mu.Unlock()
		if len(versions()) <= breaks {
			panic(http.ErrAbortHandler)
		}
		srv.ServeHTTP(w, r)
	}))
	host.EnableHTTP2 = true
	host.StartTLS()
	t.Cleanup(host.Close)
	conf = srv.Config()
	conf.BaseURL = host.URL
	return conf, host, versions
}

func over(ctx context.Context, base http.RoundTripper) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: base})
}

// Promise: A call without an answer is repeated over a new connection with HTTP/1.1, then by the transport itself.
func TestClientNewConnections(t *testing.T) {
	conf, host, versions := secured(t, 2)
	base := host.Client().Transport.(*http.Transport)
	src := conf.Source(over(t.Context(), base))
	_, err := src.Token()
	require.NoError(t, err)
	for range 2 {
		_, err = src.Renew(t.Context())
		require.NoError(t, err)
	}
	assert.Equal(t, []int{2, 1, 2, 1, 2}, versions(), "a renewal; one that begins with a new connection; one as usual")
	assert.Contains(t, base.TLSClientConfig.NextProtos, "h2", "the base is not changed")
}

// What makes TLS connections itself, or allows no HTTP/1, is not cloned.
func TestClientThatCannotBeCloned(t *testing.T) {
	for name, change := range map[string]func(*http.Transport){
		"HTTP/2 only": func(tr *http.Transport) {
			tr.Protocols = new(http.Protocols)
			tr.Protocols.SetHTTP2(true)
		},
		"DialTLSContext": func(tr *http.Transport) {
			conf := tr.TLSClientConfig.Clone()
			conf.NextProtos = []string{"h2"}
			tr.ForceAttemptHTTP2 = true
			tr.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				return (&tls.Dialer{Config: conf}).DialContext(ctx, network, address)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			conf, host, versions := secured(t, 1)
			base := host.Client().Transport.(*http.Transport)
			change(base)
			_, err := conf.Source(over(t.Context(), base)).Token()
			require.NoError(t, err)
			assert.Equal(t, []int{2, 2}, versions())
		})
	}
}

// tripper is a RoundTripper made of a function.
type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// closer counts how often its idle connections are closed.
type closer struct {
	tripper
	closed atomic.Int64
}

func (c *closer) CloseIdleConnections() { c.closed.Add(1) }

func TestClientClosesIdleConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := apivideotest.NewUnstartedServer()
		fails := 0
		base := &closer{}
		base.tripper = func(r *http.Request) (*http.Response, error) {
			if fails > 0 {
				fails--
				return nil, io.ErrUnexpectedEOF
			}
			return srv.Transport().RoundTrip(r)
		}
		src := srv.Config().Source(over(t.Context(), base))
		_, err := src.Token()
		require.NoError(t, err)
		assert.Zero(t, base.closed.Load())
		fails = 1
		start := time.Now()
		_, err = src.Renew(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 1, base.closed.Load(), "before the second attempt")
		assert.Equal(t, 500*time.Millisecond, time.Since(start), "an HTTP/2 stream ends in the background")
		for range 2 {
			_, err = src.Renew(t.Context())
			require.NoError(t, err)
		}
		assert.EqualValues(t, 2, base.closed.Load(), "the renewal after it begins so")
	})
}

// Without a base, it is http.DefaultTransport that is cloned.
func TestClientNewConnectionsOfDefault(t *testing.T) {
	conf, host, versions := secured(t, 1)
	old := http.DefaultTransport
	defer func() { http.DefaultTransport = old }()
	src := conf.Source(t.Context())
	http.DefaultTransport = host.Client().Transport
	_, err := src.Token()
	require.NoError(t, err)
	assert.Equal(t, []int{2, 1}, versions())
}
