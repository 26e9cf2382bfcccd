package apivideo_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apivideo "github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// recorder is a base that records requests and answers 200.
type recorder struct{ sent []*http.Request }

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.sent = append(r.sent, req)
	if req.Body != nil {
		req.Body.Close()
	}
	return answer(200, "text/plain", "ok"), nil
}

func (r *recorder) last() *http.Request { return r.sent[len(r.sent)-1] }

// transport returns a Transport over base whose auth calls succeed in memory,
// always with the token "made-up-token".
func transport(t *testing.T, conf apivideo.Config, base http.RoundTripper) *apivideo.Transport {
	return &apivideo.Transport{Source: sourceThrough(t, conf, grant("made-up-token", "")), Base: base}
}

// videos is a request that a Transport authorizes.
func videos() *http.Request {
	req, _ := http.NewRequest("GET", apivideo.ProductionURL+"/videos", nil)
	return req
}

// Promise: A token goes only to the API's origin and path, and not to the auth operations.
func TestTransportAuthorizesOnlyTheAPI(t *testing.T) {
	for _, test := range []struct{ base, authorized, passed string }{
		{
			"",
			`https://ws.api.video https://ws.api.video/videos HTTPS://ws.api.video/videos
			https://WS.API.VIDEO:443/videos https://ws.api.video/auth/api-keys`,
			`http://ws.api.video/videos http://ws.api.video:443/videos https://ws.api.video:8443/videos
			https://sandbox.api.video/videos https://ws.api.video.example/videos https://example.com/https://ws.api.video/
			https://ws.api.video/auth/api-key https://ws.api.video/auth/refresh/ https://ws.api.video//auth//refresh
			https://ws.api.video/videos/../auth/api-key`,
		},
		{
			"http://127.0.0.1:8080/api/v1/",
			`http://127.0.0.1:8080/api/v1 http://127.0.0.1:8080/api/v1/videos http://127.0.0.1:8080/api/v1/a%2Fb
			http://127.0.0.1:8080/api/x/../v1/videos http://127.0.0.1:8080/api/v1/../v1/videos`,
			`http://127.0.0.1:8080/api/v12 http://127.0.0.1:8080/api http://127.0.0.1:8080/ http://localhost:8080/api/v1/videos
			http://127.0.0.1:8080/api/v1/../v2 http://127.0.0.1:8080/api/v1/%2e%2e/v2 http://127.0.0.1:8080/api/v1%2F..%2Fv2
			http://127.0.0.1:8080/x/..%2Fapi/v1 http://127.0.0.1:8080/api/v1/auth/api-key http://127.0.0.1:8080/auth/api-key`,
		},
		{"http://[::1]:80", "http://[::1]/videos http://[::1]:80/videos", "http://[::2]/videos"},
		{"https://ws.api.video/a%20b", "https://ws.api.video/a%20b/videos", "https://ws.api.video/a/videos"},
	} {
		rec := &recorder{}
		tr := transport(t, apivideo.Config{BaseURL: test.base}, rec)
		check := func(u *url.URL, want bool) {
			req := &http.Request{URL: u}
			_, err := tr.RoundTrip(req)
			require.NoError(t, err)
			assert.Equal(t, want, rec.last().Header.Get("Authorization") == "Bearer made-up-token", "%s: %s", test.base, u)
			assert.Equal(t, want, req != rec.last(), "otherwise it is untouched")
		}
		for raws, want := range map[string]bool{test.authorized: true, test.passed: false} {
			for _, raw := range strings.Fields(raws) {
				u, err := url.Parse(raw)
				require.NoError(t, err)
				check(u, want)
			}
		}
		check(&url.URL{Scheme: "HTTPS", Host: "ws.api.video", Path: "/videos"}, test.base == "")
		check(&url.URL{Scheme: "https", Host: "ws.api.video", Path: "/a b/videos"}, test.base == "" || strings.HasSuffix(test.base, "b"))
		check(&url.URL{Scheme: "https", Host: "ws.api.video", Path: "/videos", Opaque: "//ws.api.video/auth/api-key"}, false)
		check(nil, false)
	}
}

// Promise: A request with an `Authorization` header is not changed.
func TestTransportOwnAuthorizationPasses(t *testing.T) {
	rec := &recorder{}
	tr := transport(t, apivideo.Config{}, rec)
	for _, header := range []http.Header{
		{"Authorization": {"Basic bWFkZTp1cA=="}},
		{"Authorization": {""}},
		{"Authorization": nil},
		{"authorization": {"Bearer another"}},
	} {
		req := videos()
		req.Header = header
		_, err := tr.RoundTrip(req)
		require.NoError(t, err)
		assert.Same(t, req, rec.last())
	}
}

// Promise: Authorized requests get the origin headers, unless they have them already.
func TestTransportSendsOriginHeaders(t *testing.T) {
	rec := &recorder{}
	client := &http.Client{Transport: transport(t, apivideo.Config{
		Application: apivideo.Product{Name: "app", Version: "1"},
		SDK:         apivideo.Product{Name: "sdk", Version: "1.20.300"},
	}, rec)}
	send := func(url string, header http.Header) http.Header {
		req, _ := http.NewRequest("GET", url, nil)
		req.Header = header
		_, err := client.Do(req)
		require.NoError(t, err)
		return rec.last().Header
	}
	const authorization = "Bearer made-up-token"
	assert.Equal(t, http.Header{
		"Authorization": {authorization}, "Av-Origin-App": {"app:1"}, "Av-Origin-Sdk": {"sdk:1.20.300"},
	}, send("https://ws.api.video/videos", http.Header{}))
	assert.Equal(t, http.Header{
		"Authorization": {authorization}, "Av-Origin-App": {"other:2"}, "AV-Origin-Sdk": {"other:3"},
	}, send("https://ws.api.video/videos", http.Header{"Av-Origin-App": {"other:2"}, "AV-Origin-Sdk": {"other:3"}}))
	assert.Empty(t, send("https://example.com/videos", http.Header{}))
}

// Promise: A token does not follow a redirect to another host.
func TestTransportRedirectGetsNoToken(t *testing.T) {
	srv := apivideotest.NewServer()
	defer srv.Close()
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Empty(t, r.Header.Values("Authorization"))
		io.WriteString(w, "stranger")
	}))
	defer stranger.Close()
	srv.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, stranger.URL, http.StatusTemporaryRedirect)
	})
	resp, err := srv.Config().Client(t.Context()).Get(srv.URL + "/away")
	require.NoError(t, err)
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	assert.Equal(t, "stranger", string(body))
}

// The base adds header values, and writes to those that it finds.
//
// Promise: The caller's request is not changed, also if the base adds header values or writes to those that the library added.
func TestTransportLeavesTheRequestAlone(t *testing.T) {
	named := map[string]string{"Authorization": "Bearer made-up-token", "Av-Origin-App": "app:1", "Av-Origin-Sdk": "sdk:2"}
	overwrite := tripper(func(r *http.Request) (*http.Response, error) {
		for header, values := range r.Header { // first into the room behind
			r.Header[header] = append(values, "scribbled")
		}
		for header, values := range r.Header {
			if want := named[header]; want != "" {
				assert.Equal(t, want, values[0], header)
				values[0] = "scribbled"
			}
		}
		r.Header.Set("X-New", "scribbled")
		r.Method = "SCRIBBLED"
		return answer(200, "text/plain", "ok"), nil
	})
	accept := make([]string, 1, 4) // with room to append to
	accept[0] = "application/json"
	for _, conf := range []apivideo.Config{
		{}, {Application: apivideo.Product{Name: "app", Version: "1"}, SDK: apivideo.Product{Name: "sdk", Version: "2"}},
	} {
		tr := transport(t, conf, overwrite)
		for range 3 {
			req := videos()
			req.Header["Accept"] = accept
			want := req.Clone(t.Context())
			resp, err := tr.RoundTrip(req)
			require.NoError(t, err)
			assert.Equal(t, want.Header, req.Header)
			assert.Equal(t, "GET", req.Method)
			assert.Equal(t, make([]string, 3), accept[1:4])
			assert.Same(t, req, resp.Request, "which shows no token")
		}
	}
}

// closing is a body that records its closing.
type closing struct {
	io.Reader
	closed atomic.Int32
}

func (c *closing) Close() error { c.closed.Add(1); return nil }

// Promise: The request's body is always closed.
func TestTransportAlwaysClosesTheBody(t *testing.T) {
	rec := &recorder{}
	refusing := sourceThrough(t, apivideo.Config{}, reply(401, "text/plain", `{"title":"The API key is invalid."}`))
	for name, tr := range map[string]*apivideo.Transport{
		"no source":           {Base: rec},
		"zero source":         {Source: &apivideo.Source{}, Base: rec},
		"configuration error": {Source: (&apivideo.Config{}).Source(t.Context()), Base: rec},
		"no token":            {Source: refusing, Base: rec},
	} {
		for _, url := range []string{"https://ws.api.video/videos", "https://example.com/"} {
			body := &closing{Reader: strings.NewReader("x")}
			req, _ := http.NewRequest("POST", url, body)
			resp, err := tr.RoundTrip(req)
			if name == "no token" && url == "https://example.com/" {
				assert.NoError(t, err)
			} else {
				assert.Error(t, err, name)
				assert.Nil(t, resp)
			}
			assert.EqualValues(t, 1, body.closed.Load(), name)
		}
	}
	assert.Len(t, rec.sent, 1)
}

// Promise: `RoundTrip` returns a response or an error, never both and never neither, whatever the base returns.
func TestTransportResponseOrError(t *testing.T) {
	tr := transport(t, apivideo.Config{}, nil)
	for _, url := range []string{apivideo.ProductionURL + "/videos", "https://example.com/"} {
		req, _ := http.NewRequest("GET", url, nil)
		broken, body := errors.New("broken"), &closing{Reader: strings.NewReader("both")}
		tr.Base = tripper(func(*http.Request) (*http.Response, error) {
			resp := answer(200, "text/plain", "")
			resp.Body = body
			return resp, broken
		})
		resp, err := tr.RoundTrip(req)
		assert.Nil(t, resp)
		assert.ErrorIs(t, err, broken)
		assert.Eventually(t, func() bool { return body.closed.Load() == 1 }, 10*time.Second, time.Millisecond)
		tr.Base = breakOff(nil)
		_, err = tr.RoundTrip(req)
		assert.EqualError(t, err, "apivideo: the base transport (apivideo_test.tripper) returned neither a response nor an error")
	}
}

type idle struct {
	http.RoundTripper
	closed int
}

func (i *idle) CloseIdleConnections() { i.closed++ }

// Promise: `Transport.CloseIdleConnections` reaches the base.
func TestTransportCloseIdleConnections(t *testing.T) {
	base := &idle{}
	(&http.Client{Transport: &apivideo.Transport{Base: base}}).CloseIdleConnections()
	assert.Equal(t, 1, base.closed)
	(&apivideo.Transport{}).CloseIdleConnections()
	(&apivideo.Transport{Base: &recorder{}}).CloseIdleConnections()
}

// Promise: A Transport may be `http.DefaultTransport`.
func TestTransportDefaultBase(t *testing.T) {
	rec := &recorder{}
	usual := http.DefaultTransport
	http.DefaultTransport = rec
	defer func() { http.DefaultTransport = usual }()
	_, err := transport(t, apivideo.Config{}, nil).RoundTrip(videos())
	require.NoError(t, err)
	assert.Len(t, rec.sent, 1)
}

// Promise: A request waits for a token until its context ends.
// Promise: A request that waits for a new token after a 401 gets the error of its context when that ends.
func TestTransportContextBoundsTheWait(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		client := w.client()
		ask := func(limit time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, "GET", w.srv.URL+"/videos", nil)
			start := time.Now()
			resp, err := client.Do(req)
			assert.Nil(t, resp)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			var timeout interface{ Timeout() bool }
			assert.True(t, errors.As(err, &timeout) && timeout.Timeout())
			assert.Equal(t, limit, time.Since(start))
		}
		w.srv.Fail(apivideotest.Hang)
		together(500, func(int) { ask(200 * time.Millisecond) })
		time.Sleep(20 * time.Second)
		assert.Equal(t, 1, w.authCalls())
		w.get(t, client, 200)

		// The request does not wait for the next token any longer.
		w.srv.RevokeAccessTokens()
		w.srv.SetAuthLatency(5 * time.Second)
		ask(time.Second)
		assert.Equal(t, 4*time.Second, w.get(t, client, 200))
		assert.Equal(t, 3, w.authCalls())
	})
}

// Promise: Many concurrent 401s cause one renewal; new requests wait for it.
func TestTransportConcurrent401sCostOneRenewal(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		client := w.warmClient(t)
		w.srv.SetAuthLatency(100 * time.Millisecond)
		for range 3 { // revoked again right after the replay
			before := w.srv.Counters()
			w.srv.RevokeAccessTokens()
			together(100, func(i int) {
				time.Sleep(time.Duration(i) * time.Millisecond)
				w.send(t, client, "POST", strings.NewReader("a body that can be replayed"), 200)
			})
			after := w.srv.Counters()
			assert.Equal(t, 1, after.AuthCalls-before.AuthCalls)
			assert.Equal(t, 1, after.Refreshed-before.Refreshed)
			assert.Equal(t, 100, after.Authorized-before.Authorized)
			assert.Equal(t, 1, after.Unauthorized-before.Unauthorized, "who comes later waits for the new token")
		}
	})
}

// Promise: At most 64 KiB of the body of a 401 are read; a longer body goes to the caller.
// Promise: A 401 leads to a renewal if it is about the access token, or of an unknown kind.
func TestTransportWhich401sRenew(t *testing.T) {
	const docs = "https://docs.api.video/reference/"
	for body, renews := range map[string]bool{
		`{"type":"` + docs + `authentication-invalid-access-token","title":"x"}`: true,
		`{"type":"` + docs + `authentication-invalid-access-token/"}`:            true,
		`{"type":"` + docs + `something-new"}`:                                   true,
		`{"title":"Unauthorized"}`:                                               true,
		`{"title":"The API key is invalid."}`:                                    true, // a title is no type
		`<html>of a firewall</html>`:                                             true,
		``:                                                                       true,
		strings.Repeat("x", 64<<10):                                              true,
		`{"type":"` + docs + `authentication-invalid-upload-token"}`:             false,
		`{"type":"` + docs + `authentication-missing-upload-token"}`:             false,
		`{"type":"` + docs + `authentication-missing-authorization-header"}`:     false,
		`{"type":"` + docs + `authentication-invalid-authorization-header-value","title":"x"}`: false,
		`{"type":"` + docs + `authentication-invalid-api-key"}`:                                false,
		`{"type":"` + docs + `authentication-invalid-refresh-token"}`:                          false,
		`{"type":"` + docs + `authentication-invalid-user-credentials"}`:                       false,
		`{"type":"` + docs + `authorization-suspended-account"}`:                               false,
		`{"type":"` + docs + `payload-is-invalid"}`:                                            false,
		`{"type":"` + docs + `too-many-requests"}`:                                             false,
	} {
		bubble(t, func(t *testing.T, w *world) {
			w.setAPI(reply(401, "application/problem+json", body))
			resp, err := w.client().Get(w.srv.URL + "/videos")
			require.NoError(t, err)
			got, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			assert.Equal(t, body, string(got), "the body is whole")
			assert.Equal(t, renews, w.authCalls() == 2, body)
		})
	}
}

// with401 has w answer with this body, if it answers 401.
func (w *world) with401(body io.ReadCloser) {
	w.setAPI(func(r *http.Request) (*http.Response, error) {
		resp, err := w.srv.Transport().RoundTrip(r)
		if resp != nil && resp.StatusCode == 401 {
			resp.Body = body
		}
		return resp, err
	})
}

// Promise: The body of a 401 is read and closed before the auth call.
func TestTransport401IsClosedBeforeTheAuthCall(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		client := w.warmClient(t)
		body := &closing{Reader: strings.NewReader("no")}
		w.with401(body)
		w.setAuth(func(r *http.Request) (*http.Response, error) {
			assert.EqualValues(t, 1, body.closed.Load())
			return w.srv.Transport().RoundTrip(r)
		})
		w.srv.RevokeAccessTokens()
		w.get(t, client, 200)
		assert.Equal(t, 2, w.authCalls())

		w.with401(nil) // a base may leave it out
		w.srv.RevokeAccessTokens()
		w.get(t, client, 200)
	})
}

// Promise: At most 64 KiB of the body of a 401 are read; a longer body goes to the caller.
func TestTransportLong401GoesToTheCaller(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		client := w.warmClient(t)
		long := strings.Repeat("x", 64<<10+1)
		body := &closing{Reader: strings.NewReader(long)}
		w.with401(body)
		w.srv.RevokeAccessTokens()
		resp, err := client.Get(w.srv.URL + "/videos")
		require.NoError(t, err)
		assert.Zero(t, body.closed.Load())
		got, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		assert.Equal(t, long, string(got))
		resp.Body.Close()
		assert.EqualValues(t, 1, body.closed.Load())
		assert.Equal(t, 1, w.authCalls())
	})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// Promise: A refused token stays the current one until there is another; if there is none, the caller gets the 401.
func TestTransport401WithABrokenBody(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		client := w.warmClient(t)
		broken := errors.New("connection reset")
		half := func() { w.with401(io.NopCloser(io.MultiReader(strings.NewReader("half"), failing{broken}))) }
		half()
		w.srv.RevokeAccessTokens()
		w.get(t, client, 200)

		half()
		w.fail(unusable)
		w.srv.RevokeAccessTokens()
		resp, err := client.Get(w.srv.URL + "/videos")
		require.NoError(t, err)
		assert.Equal(t, 401, resp.StatusCode)
		got, err := io.ReadAll(resp.Body)
		assert.Equal(t, "half", string(got))
		assert.ErrorIs(t, err, broken)
	})
}

// The 401 comes from a firewall, and the auth service is down. The program
// keeps its good token.
//
// Promise: A refused token stays the current one until there is another; if there is none, the caller gets the 401.
func TestTransportRefusedTokenServesOn(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src := w.source()
		client := src.Client(w.ctx)
		w.get(t, client, 200)
		good, _ := mustToken(t, src)
		w.srv.SetAuthLatency(time.Second)
		w.fail(unusable)
		firewalled := &http.Client{Transport: &apivideo.Transport{Source: src, Base: reply(401, "text/plain", "firewall")}}
		wait := background(func() {
			resp, err := firewalled.Get(w.srv.URL + "/videos")
			if assert.NoError(t, err) {
				body, _ := io.ReadAll(resp.Body)
				assert.Equal(t, 401, resp.StatusCode)
				assert.Equal(t, "firewall", string(body))
			}
		})
		time.Sleep(time.Second / 2)
		took := w.get(t, client, 200)
		assert.Equal(t, 3*time.Second/2, took, "who comes meanwhile waits for the refresh and the key")
		wait()
		serves(t, src, good)
		calls := w.authCalls()
		w.get(t, firewalled, 401)
		assert.Equal(t, calls, w.authCalls(), "the failure is remembered")
	})
}

// The caller gets the 401 at once. The next request waits for the new token,
// whether the construction context has ended or not.
//
// Promise: If the request's body cannot be replayed, the caller gets the 401 at once, and the renewal starts in the background.
func TestTransportUpload401RenewsBehind(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(w.ctx)
		defer cancel()
		client := w.conf.Client(ctx)
		w.get(t, client, 200)
		w.srv.SetAuthLatency(time.Second)
		upload := func(want int, wait time.Duration) {
			body := &closing{Reader: strings.NewReader("streamed")}
			start := time.Now()
			resp, err := client.Post(w.srv.URL+"/videos", "video/mp4", body)
			require.NoError(t, err)
			assert.Equal(t, want, resp.StatusCode)
			assert.EqualValues(t, 1, body.closed.Load())
			assert.Equal(t, wait, time.Since(start))
			if want == 401 {
				text, _ := io.ReadAll(resp.Body)
				assert.Contains(t, string(text), "authentication-invalid-access-token")
			}
		}
		for i := range 3 {
			if i == 2 {
				time.Sleep(10 * time.Minute) // the third in a row would have to wait
			}
			w.srv.RevokeAccessTokens()
			upload(401, 0)
			synctest.Wait()
			assert.Equal(t, i+2, w.authCalls())
			if i < 2 {
				upload(200, time.Second)
			} else {
				time.Sleep(2 * time.Second) // nobody waits, and still it is not aborted
				upload(200, 0)
			}
			cancel()
		}
		assert.Equal(t, 4, w.authCalls())
	})
}

// Promise: `GetBody` is called once for each replay.
func TestTransportGetBodyIsCalledOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.setAPI(reply(401, "text/plain", ""))
		client := w.client()
		opened := 0
		req, _ := http.NewRequest("POST", w.srv.URL+"/videos", strings.NewReader("x"))
		req.GetBody = func() (io.ReadCloser, error) {
			opened++
			return io.NopCloser(strings.NewReader("x")), nil
		}
		resp, err := client.Do(req)
		require.NoError(t, err)
		assert.Equal(t, 401, resp.StatusCode, "the answer to the second attempt")
		assert.Equal(t, 1, opened)
		time.Sleep(time.Minute)
		req, _ = http.NewRequest("POST", w.srv.URL+"/videos", strings.NewReader("x"))
		req.GetBody = func() (io.ReadCloser, error) { return nil, errors.New("gone") }
		resp, err = client.Do(req)
		require.NoError(t, err)
		assert.Equal(t, 401, resp.StatusCode)
	})
}

// Promise: After a 401, the request is sent again with its whole body and the new token.
func TestTransportReplayHasTheWholeBody(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var got []string
		w.setAPI(func(r *http.Request) (*http.Response, error) {
			body, _ := io.ReadAll(r.Body)
			got = append(got, string(body))
			r.Body = http.NoBody
			return w.srv.Transport().RoundTrip(r)
		})
		client := w.client()
		for _, body := range []io.Reader{strings.NewReader("the whole body"), http.NoBody} {
			w.send(t, client, "POST", body, 200)
			w.srv.RevokeAccessTokens()
		}
		w.send(t, client, "POST", strings.NewReader("the whole body"), 200)
		assert.Equal(t, []string{"the whole body", "", "", "the whole body", "the whole body"}, got)
	})
}

// Promise: No body of a request is kept in memory.
func TestTransportStreamsTheBody(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		begun := make(chan struct{})
		w.setAPI(func(r *http.Request) (*http.Response, error) {
			_, err := io.ReadFull(r.Body, make([]byte, len("begun")))
			assert.NoError(t, err)
			close(begun)
			return w.srv.Transport().RoundTrip(r)
		})
		body, end := io.Pipe()
		go func() {
			io.WriteString(end, "begun")
			select {
			case <-begun:
			case <-time.After(time.Minute):
				t.Error("nothing was sent before the body was complete")
			}
			end.Close()
		}()
		w.send(t, w.client(), "POST", body, 200)
	})
}

// hammer has n goroutines call the API for a time. Each call gets a 401 at
// once. It returns how many auth calls that costs.
func (w *world) hammer(t *testing.T, n int, d, every time.Duration, clients ...*http.Client) int {
	before := w.authCalls()
	end := time.Now().Add(d)
	together(n, func(i int) {
		for time.Now().Before(end) {
			took := w.get(t, clients[i%len(clients)], 401)
			assert.LessOrEqual(t, took, 40*time.Millisecond)
			time.Sleep(every)
		}
	})
	return w.authCalls() - before
}

// Promise: An API that rejects every token costs few auth calls and no waiting.
func TestTransportRefusingAPICostsFewAuthCalls(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.srv.SetAuthLatency(10 * time.Millisecond)
		w.setAPI(reply(401, "text/plain", ""))
		client := w.client()
		assert.LessOrEqual(t, w.hammer(t, 20, 3*time.Second, 5*time.Millisecond, client), 6)
		assert.LessOrEqual(t, w.hammer(t, 20, 2*time.Minute, time.Second, client), 8, "1, 2, 4 … 60 seconds")
		assert.LessOrEqual(t, w.hammer(t, 20, 10*time.Minute, time.Second, client), 11, "one a minute")
	})
}

// Promise: Renew and Invalidate by the program do not wait for a pause after 401s.
func TestRefusalPauseSparesTheProgram(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.setAPI(reply(401, "text/plain", ""))
		src := w.source()
		client := src.Client(w.ctx)
		for range 4 {
			w.get(t, client, 401)
		}
		assert.Equal(t, 3, w.authCalls())
		tok, _ := mustRenew(t, src)
		assert.Equal(t, 4, w.authCalls())
		src.Invalidate(tok)
		w.get(t, client, 401)
		assert.Equal(t, 5, w.authCalls())
		w.setAPI(func(r *http.Request) (*http.Response, error) {
			src.Invalidate(atOnce(t, src)) // while the request is on its way
			return answer(401, "text/plain", ""), nil
		})
		w.get(t, client, 401)
		assert.Greater(t, w.authCalls(), 5, "a token is needed anyway")
	})
}

// sender is one of the methods of world that send a request.
type sender func(w *world, t *testing.T, client *http.Client, want int) time.Duration

// A 401 about an earlier token costs no auth call.
//
// Promise: A late 401 about an earlier token causes no renewal.
func TestTransportLate401CostsNothing(t *testing.T) {
	for name, test := range map[string]struct {
		send sender
		want int
	}{"a request": {(*world).get, 200}, "an upload": {(*world).stream, 401}} {
		t.Run(name, inBubble(func(t *testing.T, w *world) {
			src := w.source()
			slow := make(chan struct{})
			w.setAPI(func(r *http.Request) (*http.Response, error) {
				resp, err := w.srv.Transport().RoundTrip(r)
				<-slow
				return resp, err
			})
			mustToken(t, src)
			w.srv.RevokeAccessTokens()
			wait := background(func() { test.send(w, t, src.Client(w.ctx), test.want) })
			synctest.Wait()
			mustRenew(t, src)
			close(slow)
			wait()
			synctest.Wait()
			assert.Equal(t, 2, w.authCalls())
		}))
	}
}

func TestTransportOtherStatusesPass(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		client := w.client()
		for _, want := range []int{200, 204, 301, 400, 403, 404, 429, 500} {
			w.setAPI(reply(want, "text/plain", ""))
			w.get(t, client, want)
			assert.Equal(t, 1, w.authCalls())
		}
	})
}

// Promise: A Transport makes three allocations for a request of up to 7 headers.
func TestTransportThreeAllocations(t *testing.T) {
	resp := answer(200, "text/plain", "")
	base := tripper(func(*http.Request) (*http.Response, error) { return resp, nil })
	for headers := range 8 {
		conf := apivideo.Config{}
		if headers == 5 {
			conf.Application, conf.SDK = apivideo.Product{Name: "a", Version: "1"}, apivideo.Product{Name: "b", Version: "1"}
		}
		tr := transport(t, conf, base)
		req := videos()
		for i := range headers {
			req.Header.Set("X-Header-"+string(rune('A'+i)), "value")
		}
		assert.LessOrEqual(t, testing.AllocsPerRun(1000, func() { tr.RoundTrip(req) }), 3.0, "%d headers", headers)
	}
}

// Promise: `TokenContext` makes one allocation, of at most 160 bytes.
func TestSourceTokenContextAllocatesOnce(t *testing.T) {
	src := sourceThrough(t, apivideo.Config{}, grant("made-up-token", ""))
	mustToken(t, src)
	const calls = 1000
	use := func() {
		for range calls {
			src.TokenContext(t.Context())
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	use()
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(161*calls), "bytes")
	assert.LessOrEqual(t, testing.AllocsPerRun(5, use), float64(calls))
}

// The number of Transports makes no difference, nor whether requests can be
// replayed.
//
// Promise: After two renewals in a row that did not help, the next ones wait 1, 2, 4 … 60 seconds, for all Transports of a Source together.
func TestRefusalPausesDouble(t *testing.T) {
	for name, send := range map[string]sender{"requests": (*world).get, "uploads": (*world).stream} {
		t.Run(name, inBubble(func(t *testing.T, w *world) {
			src := w.source()
			w.setAPI(reply(401, "text/plain", ""))
			one, other := src.Client(w.ctx), src.Client(w.ctx)
			for end := time.Now().Add(4 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				send(w, t, one, 401)
				one, other = other, one
			}
			var seconds []float64
			for _, d := range w.between() {
				seconds = append(seconds, d.Round(time.Second).Seconds())
			}
			assert.Equal(t, []float64{0, 0, 1, 2, 4, 8, 16, 32, 60, 60}, seconds)
		}))
	}
}

// Promise: A request is sent twice at most if this Source requested the new token after the 401.
func TestTransportSendsTwiceAtMost(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		sent := 0
		w.setAPI(func(r *http.Request) (*http.Response, error) {
			if sent++; sent > 5 {
				return answer(200, "", ""), nil
			}
			time.Sleep(2 * time.Second) // longer than the hold
			return answer(401, "text/plain", ""), nil
		})
		w.get(t, w.client(), 401)
		assert.Equal(t, 2, sent)
		assert.Equal(t, 2, w.authCalls())
	})
}

// A request that was sent again and accepted ends the pauses, and so do ten
// minutes without a 401. Another accepted request does not.
//
// Promise: A request that was sent again and accepted ends the pauses after 401s, and so do ten minutes without a 401; nothing else does.
func TestRefusalPausesEnd(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(t *testing.T, w *world, client *http.Client)
		want int // auth calls in the next 2 seconds
	}{
		"a request that was sent again": {func(t *testing.T, w *world, client *http.Client) {
			w.setAPI(nil)
			time.Sleep(time.Minute)
			w.get(t, client, 200)
			w.srv.RevokeAccessTokens()
			w.get(t, client, 200)
		}, 3},
		"an accepted request": {func(t *testing.T, w *world, client *http.Client) {
			w.setAPI(nil)
			time.Sleep(time.Minute)
			w.get(t, client, 200)
		}, 1},
		"nine quiet minutes": {func(*testing.T, *world, *http.Client) { time.Sleep(9 * time.Minute) }, 1},
		"ten quiet minutes":  {func(*testing.T, *world, *http.Client) { time.Sleep(10 * time.Minute) }, 3},
	} {
		t.Run(name, inBubble(func(t *testing.T, w *world) {
			client := w.client()
			refuse := reply(401, "text/plain", "")
			w.setAPI(refuse)
			w.hammer(t, 1, 20*time.Second, 100*time.Millisecond, client)
			test.end(t, w, client)
			w.setAPI(refuse)
			assert.Equal(t, test.want, w.hammer(t, 1, 2*time.Second, 100*time.Millisecond, client))
		}))
	}
}

// The API refuses new tokens for a while, and nobody asks afterwards. The Source
// gets one more token in the background, and that is revoked.
//
// Promise: A pause between renewals begins with the latest renewal, so a revocation after it fails no request.
func TestRefusalPauseBeginsWithTheToken(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		client := w.client()
		w.setAPI(reply(401, "text/plain", ""))
		w.hammer(t, 1, 20*time.Second, 100*time.Millisecond, client)
		w.setAPI(nil)
		before := w.authCalls()
		time.Sleep(5 * time.Minute)
		require.Equal(t, 1, w.authCalls()-before)
		w.srv.RevokeAccessTokens()
		w.get(t, client, 200)
	})
}

func TestTransportUploadsWithARejectedKey(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		client := w.warmClient(t)
		w.srv.RevokeAccessTokens()
		w.fail(refusal("The API key is invalid."))
		for range 20 {
			w.stream(t, client, 401)
			time.Sleep(100 * time.Millisecond)
		}
		assert.Equal(t, 3, w.authCalls(), "key; refresh, key")
	})
}

// During a pause, the program renews. A refused request waits for that renewal.
// Nobody else does.
//
// Promise: During a pause, a refused request waits for a renewal that runs for another reason; other requests do not.
func TestRefusalJoinsARenewalInAPause(t *testing.T) {
	for _, upload := range []bool{false, true} {
		bubble(t, func(t *testing.T, w *world) {
			src := w.source()
			client := src.Client(w.ctx)
			w.setAPI(reply(401, "text/plain", ""))
			for range 3 {
				w.get(t, client, 401)
			}
			w.setAPI(nil)
			w.srv.RevokeAccessTokens()
			w.srv.SetAuthLatency(time.Second / 2)
			wait := background(func() { mustRenew(t, src) })
			synctest.Wait()
			if upload {
				assert.Zero(t, w.stream(t, client, 401))
			}
			atOnce(t, src)
			assert.Equal(t, time.Second/2, w.get(t, client, 200))
			wait()
			assert.Equal(t, 4, w.authCalls())
		})
	}
}

// Promise: There is no pause after the first 401 to a token that replaced no refused one.
func TestTransportFirst401RenewsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		src, _ := w.warm(t)
		mustRenew(t, src)
		w.srv.RevokeAccessTokens()
		w.get(t, src.Client(w.ctx), 200)
	})
}
