package apivideo_test

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	apivideo "github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// follower is a base that follows redirects, as one that wraps an http.Client
// does. It keeps a copy of each body to send it again.
type follower struct{ client http.Client }

func (f *follower) RoundTrip(r *http.Request) (*http.Response, error) {
	out := r.Clone(r.Context())
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			return nil, err
		}
		out.Body = io.NopCloser(bytes.NewReader(body))
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	out.RequestURI = ""
	return f.client.Do(out)
}

// stranger is a server that records the requests it gets. It answers as the
// service would.
type stranger struct {
	*httptest.Server
	mu  sync.Mutex
	got string // guarded by mu
}

func newStranger(t *testing.T) *stranger {
	s := &stranger{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.got += string(body) + r.Header.Get("Authorization")
		s.mu.Unlock()
		io.WriteString(w, `{"access_token":"the-token-of-a-stranger","refresh_token":"another-one-of-it"}`)
	}))
	t.Cleanup(s.Close)
	return s
}

// seen is what the stranger got, without parts that carry no information.
func (s *stranger) seen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got
}

// redirecting returns the URL of a server that redirects every request.
func redirecting(t *testing.T, status int, to string) string {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Location", to+r.URL.Path)
		w.WriteHeader(status)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// Promise: An auth call refuses an answer from another URL, as of an HTTP client that follows redirects.
// Promise: The API key reaches no other host, and none without TLS.
func TestAuthCallRedirectedByTheBase(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		other := newStranger(t)
		conf := apivideo.Config{APIKey: "made-up-key", BaseURL: redirecting(t, status, other.URL)}
		ctx := through(t.Context(), (&follower{}).RoundTrip)
		_, fromKey := conf.Token(ctx)
		_, fromRefresh := conf.Refresh(ctx, "made-up-refresh-token")
		_, fromSource := conf.Source(ctx).Token()
		for _, err := range []error{fromKey, fromRefresh, fromSource} {
			assert.ErrorContains(t, err, "the answer did not come from "+conf.BaseURL+"/auth/", status)
			assert.ErrorContains(t, err, "follows redirects")
			assert.True(t, asError(t, err).Temporary())
		}
		assert.Empty(t, other.seen(), status)
	}
}

// The other host has the name of the service, but no TLS.
//
// Promise: The API key reaches no other host, and none without TLS.
func TestAuthCallRedirectedToPlainHTTP(t *testing.T) {
	other := newStranger(t)
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		http.Redirect(w, r, "http://ws.api.video/auth/api-key", http.StatusTemporaryRedirect)
	}))
	defer srv.Close()
	base := srv.Client().Transport.(*http.Transport).Clone()
	base.TLSClientConfig.ServerName = "example.com" // of its certificate
	base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		to := other.Listener.Addr().String()
		if strings.HasSuffix(addr, ":443") {
			to = srv.Listener.Addr().String()
		}
		return new(net.Dialer).DialContext(ctx, network, to)
	}
	defer base.CloseIdleConnections()
	_, err := tokenThrough(t, apivideo.Config{}, (&follower{http.Client{Transport: base}}).RoundTrip)
	assert.ErrorContains(t, err, "the answer did not come from ")
	assert.Empty(t, other.seen())
}

// A base may set the request of the response.
//
// Promise: An auth call refuses an answer from another URL, as of an HTTP client that follows redirects.
func TestAuthCallAnswerOfAnotherURL(t *testing.T) {
	for _, u := range []string{"https://example.com/auth/api-key", "https://ws.api.video/other"} {
		_, err := tokenThrough(t, apivideo.Config{}, func(r *http.Request) (*http.Response, error) {
			resp := grantOf("made-up-token", "", 3600)
			resp.Request, _ = http.NewRequest("GET", u, nil)
			return resp, nil
		})
		assert.ErrorContains(t, err, "the answer did not come from ")
	}
}

// Promise: A base that changes the URL of an auth call, or returns a plain connection for https, is named as the cause.
func TestAuthCallDetoursHaveTheirCause(t *testing.T) {
	other := newStranger(t)
	to := strings.TrimPrefix(other.URL, "http://")
	rewrite := func(change func(*url.URL)) tripper {
		return func(r *http.Request) (*http.Response, error) {
			out := r.Clone(r.Context())
			change(out.URL)
			out.Host = ""
			return http.DefaultTransport.RoundTrip(out)
		}
	}
	plain := func(network string) tripper {
		base := &http.Transport{DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, to)
		}}
		t.Cleanup(base.CloseIdleConnections)
		return base.RoundTrip
	}
	said := func(change func(*url.URL)) tripper {
		return func(r *http.Request) (*http.Response, error) {
			resp := grantOf("made-up-token", "", 3600)
			resp.Request = r.Clone(r.Context())
			change(resp.Request.URL)
			return resp, nil
		}
	}
	const changes = "the answer did not come from https://ws.api.video/auth/api-key: the HTTP client's transport changes the URL; set Config.BaseURL to the URL it should use"
	for name, test := range map[string]struct {
		base tripper
		want string
	}{
		"a plain connection": {plain("tcp"), "the connection to https://ws.api.video/auth/api-key is not encrypted: DialTLSContext of the HTTP client's transport must return a TLS connection"},
		"another host":       {rewrite(func(u *url.URL) { u.Scheme, u.Host = "http", to }), changes},
		"says another host":  {said(func(u *url.URL) { u.Host = "gateway.example" }), changes},
		"says another path":  {said(func(u *url.URL) { u.Path = "/v2/auth/api-key" }), changes},
	} {
		_, err := tokenThrough(t, apivideo.Config{}, test.base)
		assert.EqualError(t, err, "apivideo: authenticate: "+test.want, name)
		assert.True(t, asError(t, err).Temporary())
	}
	assert.Empty(t, other.seen())
}

// package net/http writes a Host header in other forms than its URL has.
//
// Promise: An auth call works in whatever form net/http sends the host.
func TestAuthCallOfAnyHostForm(t *testing.T) {
	srv := apivideotest.NewServer()
	defer srv.Close()
	base := &http.Transport{DialTLSContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(srv.URL, "http://"))
		return wrapped{conn}, err
	}}
	defer base.CloseIdleConnections()
	for _, host := range []string{"bücher.example", "[fe80::1%25eth0]", "WS.api.video:0443", "[0:0::1]:443"} {
		conf := apivideo.Config{APIKey: srv.Config().APIKey, BaseURL: "https://" + host}
		_, err := conf.Token(through(t.Context(), base.RoundTrip))
		assert.NoError(t, err, host)
	}
}

// wrapped is a connection of a type that nobody knows.
type wrapped struct{ net.Conn }

// Promise: `resp.Request` has the URL that was answered.
func TestTransportShowsTheAnsweredURL(t *testing.T) {
	other := newStranger(t)
	base := redirecting(t, 302, other.URL)
	tr := transport(t, apivideo.Config{BaseURL: base}, &follower{})
	req, _ := http.NewRequest("GET", base+"/videos", nil)
	resp, err := tr.RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	assert.Equal(t, other.URL+"/videos", resp.Request.URL.String())
	assert.NotContains(t, resp.Request.Header, "Authorization")

	rec := &recorder{}
	tr.Base = rec
	resp, err = tr.RoundTrip(req)
	require.NoError(t, err)
	assert.Same(t, req, resp.Request, "without a redirect it is the caller's request")
}

// A 401 is about the token if its request carried it, whatever its URL.
//
// Promise: A 401 causes a renewal only if its request carried the token.
func TestTransport401OfAnotherURL(t *testing.T) {
	for name, test := range map[string]struct {
		authorization string
		want, calls   int
	}{"a gateway": {"", 200, 2}, "a redirect without the token": {"none", 401, 1}} {
		t.Run(name, inBubble(func(t *testing.T, w *world) {
			client := w.warmClient(t)
			w.setAPI(func(r *http.Request) (*http.Response, error) {
				sent := r.Clone(r.Context())
				sent.URL.Host = "gateway.example"
				sent.Header.Set("Authorization", cmp.Or(test.authorization, r.Header.Get("Authorization")))
				resp, err := w.srv.Transport().RoundTrip(sent)
				if resp.StatusCode == 401 {
					resp.Body = io.NopCloser(strings.NewReader(refusesTheToken))
				}
				return resp, err
			})
			w.srv.RevokeAccessTokens()
			w.get(t, client, test.want)
			assert.Equal(t, test.calls, w.authCalls())
		}))
	}
}

// Promise: An answer to a request without the token does not show that the API accepts the token.
func TestStatsAnswerOfAnotherURL(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src, _ := w.warm(t)
		client := src.Client(w.ctx)
		w.fail(apivideotest.Status(503))
		w.srv.RevokeAccessTokens()
		w.get(t, client, 401)
		refused := src.Stats().RefusedSince
		require.NotZero(t, refused)
		for _, carries := range []bool{false, true} {
			w.setAPI(func(r *http.Request) (*http.Response, error) {
				sent := r.Clone(r.Context())
				sent.URL.Host = "other.example"
				if !carries {
					sent.Header.Del("Authorization")
				}
				resp := answer(200, "text/plain", "")
				resp.Request = sent
				return resp, nil
			})
			w.get(t, client, 200)
			assert.Equal(t, carries, src.Stats().RefusedSince.IsZero())
		}
	})
}

// A recorder's response refers to a copy of the request that shows no token.
//
// Promise: A base need not show in `resp.Request` that the request carried the token.
func TestTransport401OfARecorder(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		client := w.warmClient(t)
		w.setAPI(func(r *http.Request) (*http.Response, error) {
			resp, err := w.srv.Transport().RoundTrip(r)
			resp.Request = r.Clone(r.Context())
			resp.Request.Header.Del("Authorization")
			return resp, err
		})
		for range 3 {
			w.srv.RevokeAccessTokens()
			w.get(t, client, 200)
		}
	})
}

// A reverse proxy sends the caller's Host, who may name any virtual host.
//
// Promise: A request whose `Host` is another one gets no token.
func TestTransportForeignHostGetsNoToken(t *testing.T) {
	srv := apivideotest.NewServer()
	defer srv.Close()
	rec := &recorder{}
	tr := transport(t, apivideo.Config{BaseURL: srv.URL}, rec)
	target, _ := url.Parse(srv.URL)
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = tr
	for host, want := range map[string]string{
		"evil.example": "", target.Hostname(): "", "127.0.0.1:1": "", target.Host: "Bearer made-up-token", "": "Bearer made-up-token",
	} {
		req := httptest.NewRequest("GET", "/videos", nil)
		req.Host = host
		proxy.ServeHTTP(httptest.NewRecorder(), req)
		assert.Equal(t, want, rec.last().Header.Get("Authorization"), host)
	}
}

// Its answer would have the program delete or create what it names.
//
// Promise: A request gets no token if a redirect from elsewhere led to the API.
func TestTransportForeignRedirectGetsNoToken(t *testing.T) {
	var sent []string
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		sent = append(sent, r.Method+" "+r.URL.Path+r.Header.Get("Authorization"))
	}))
	defer srv.Close()
	away := redirecting(t, 307, srv.URL)
	client := &http.Client{Transport: transport(t, apivideo.Config{BaseURL: srv.URL}, nil)}
	for _, method := range []string{"DELETE", "POST"} {
		req, _ := http.NewRequest(method, away+"/videos", strings.NewReader("x"))
		resp, err := client.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
	}
	assert.Equal(t, []string{"DELETE /videos", "POST /videos"}, sent)
}

// Each answer is the same response, which http.Client makes a part of the next
// request.
//
// Promise: A chain of redirects without an end, from a base that answers with one response, blocks no request.
func TestTransportSharedRedirectEnds(t *testing.T) {
	resp := answer(302, "text/plain", "")
	resp.Header.Set("Location", "/videos")
	client := &http.Client{Transport: transport(t, apivideo.Config{}, tripper(func(*http.Request) (*http.Response, error) {
		return resp, nil
	}))}
	ended := make(chan error, 1)
	go func() {
		_, err := client.Do(videos())
		ended <- err
	}()
	select {
	case err := <-ended:
		assert.ErrorContains(t, err, "stopped after 10 redirects")
	case <-time.After(10 * time.Second):
		t.Fatal("it does not end")
	}
}
