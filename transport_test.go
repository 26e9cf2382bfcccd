package apivideo_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// recorder is a base that notes what it is sent, and answers 200.
type recorder struct {
	mu   sync.Mutex
	sent []*http.Request
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent = append(r.sent, req)
	if req.Body != nil {
		req.Body.Close()
	}
	return answer(200, "text/plain", "ok"), nil
}

// staticSource returns a Source for this base URL whose auth calls succeed in
// memory, always with the token "made-up-token".
func staticSource(t *testing.T, conf apivideo.Config) *apivideo.Source {
	conf.APIKey = "made-up-key"
	return conf.Source(through(t.Context(), func(*http.Request) (*http.Response, error) {
		return grantOf("made-up-token", "", 3600), nil
	}))
}

func TestOnlyRequestsToTheAPIAreAuthorized(t *testing.T) {
	for base, requests := range map[string]map[string]bool{
		"": {
			"https://ws.api.video/videos":                 true,
			"https://ws.api.video":                        true,
			"https://WS.API.VIDEO:443/videos":             true,
			"HTTPS://ws.api.video/videos":                 true,
			"https://ws.api.video/auth/api-keys":          true,
			"http://ws.api.video/videos":                  false,
			"https://ws.api.video:8443/videos":            false,
			"https://sandbox.api.video/videos":            false,
			"https://ws.api.video.example/videos":         false,
			"https://example.com/https://ws.api.video/":   false,
			"https://ws.api.video/auth/api-key":           false,
			"https://ws.api.video/auth/refresh/":          false,
			"https://ws.api.video/videos/../auth/api-key": false,
			"https://ws.api.video//auth//refresh":         false,
		},
		"http://127.0.0.1:8080/api/v1/": {
			"http://127.0.0.1:8080/api/v1":              true,
			"http://127.0.0.1:8080/api/v1/videos":       true,
			"http://127.0.0.1:8080/api/x/../v1/videos":  true,
			"http://127.0.0.1:8080/api/v1/../v1/videos": true,
			"http://127.0.0.1:8080/api/v1/a%2Fb":        true,
			"http://127.0.0.1:8080/api/v12":             false,
			"http://127.0.0.1:8080/api":                 false,
			"http://127.0.0.1:8080/":                    false,
			"http://127.0.0.1:8080/api/v1/../v2":        false,
			"http://127.0.0.1:8080/api/v1/%2e%2e/v2":    false,
			"http://127.0.0.1:8080/api/v1%2F..%2Fv2":    false,
			"http://127.0.0.1:8080/x/..%2Fapi/v1":       false,
			"http://127.0.0.1:8080/api/v1/auth/api-key": false,
			"http://127.0.0.1:8080/auth/api-key":        false,
			"http://localhost:8080/api/v1/videos":       false,
		},
		"http://[::1]:80": {
			"http://[::1]/videos":    true,
			"http://[::1]:80/videos": true,
			"http://[::2]/videos":    false,
		},
		"https://ws.api.video/a%20b": {
			"https://ws.api.video/a%20b/videos": true,
			"https://ws.api.video/a b/videos":   true,
			"https://ws.api.video/a/videos":     false,
		},
	} {
		rec := &recorder{}
		tr := &apivideo.Transport{Source: staticSource(t, apivideo.Config{BaseURL: base}), Base: rec}
		for url, want := range requests {
			req, err := http.NewRequest("GET", url, nil)
			require.NoError(t, err)
			resp, err := tr.RoundTrip(req)
			require.NoError(t, err)
			resp.Body.Close()
			sent := rec.sent[len(rec.sent)-1]
			assert.Equal(t, want, sent.Header.Get("Authorization") == "Bearer made-up-token", "%s: %s", base, url)
			if !want {
				assert.Same(t, req, sent, "untouched")
			}
		}
	}
}

func TestAnOpaqueURLIsNotAuthorized(t *testing.T) {
	rec := &recorder{}
	tr := &apivideo.Transport{Source: staticSource(t, apivideo.Config{}), Base: rec}
	req, _ := http.NewRequest("GET", "https://ws.api.video/videos", nil)
	req.URL.Opaque = "//ws.api.video/auth/api-key"
	_, err := tr.RoundTrip(req)
	require.NoError(t, err)
	assert.Same(t, req, rec.sent[0])
}

func TestARequestWithAuthorizationOfItsOwnPassesUntouched(t *testing.T) {
	rec := &recorder{}
	tr := &apivideo.Transport{Source: staticSource(t, apivideo.Config{}), Base: rec}
	for _, header := range []http.Header{
		{"Authorization": {"Basic bWFkZTp1cA=="}},
		{"Authorization": {""}},
		{"Authorization": nil},
		{"authorization": {"Bearer another"}},
	} {
		req, _ := http.NewRequest("GET", "https://ws.api.video/videos", nil)
		req.Header = header
		_, err := tr.RoundTrip(req)
		require.NoError(t, err)
		assert.Same(t, req, rec.sent[len(rec.sent)-1])
	}
}

func TestTheProgramIsNamedOnWhatIsAuthorized(t *testing.T) {
	rec := &recorder{}
	src := staticSource(t, apivideo.Config{
		Application: apivideo.Product{Name: "app", Version: "1"},
		SDK:         apivideo.Product{Name: "sdk", Version: "1.20.300"},
	})
	client := &http.Client{Transport: &apivideo.Transport{Source: src, Base: rec}}
	send := func(url string, header http.Header) http.Header {
		req, _ := http.NewRequest("GET", url, nil)
		req.Header = header
		resp, err := client.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		return rec.sent[len(rec.sent)-1].Header
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

func TestARedirectToAnotherHostGetsNoToken(t *testing.T) {
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

func TestARequestIsNotChanged(t *testing.T) {
	overwrite := tripper(func(r *http.Request) (*http.Response, error) {
		for header, want := range map[string]string{"Authorization": "Bearer made-up-token", "Av-Origin-App": "app:1"} {
			values := r.Header[header]
			if len(values) == 0 {
				continue
			}
			if values[0] != want {
				return nil, errors.New("the base got " + values[0])
			}
			values[0] = "scribbled"
			r.Header[header] = append(values, "scribbled")
		}
		r.Header["Accept"] = append(r.Header["Accept"], "scribbled")
		r.Header.Set("X-New", "scribbled")
		r.Method = "SCRIBBLED"
		return answer(200, "text/plain", "ok"), nil
	})
	accept := make([]string, 1, 4) // with room to append to
	accept[0] = "application/json"
	for _, conf := range []apivideo.Config{{}, {Application: apivideo.Product{Name: "app", Version: "1"}}} {
		tr := &apivideo.Transport{Source: staticSource(t, conf), Base: overwrite}
		for range 3 {
			req, _ := http.NewRequest("GET", "https://ws.api.video/videos", nil)
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

// closing is a body that notes its closing.
type closing struct {
	io.Reader
	closed atomic.Int32
}

func (c *closing) Close() error { c.closed.Add(1); return nil }

func TestABodyIsAlwaysClosed(t *testing.T) {
	refusing := (&apivideo.Config{APIKey: "made-up-key"}).Source(through(t.Context(), func(*http.Request) (*http.Response, error) {
		return answer(401, "application/problem+json", `{"title":"The API key is invalid."}`), nil
	}))
	rec := &recorder{}
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

func TestAResponseNeverComesWithAnError(t *testing.T) {
	broken := errors.New("broken")
	src := staticSource(t, apivideo.Config{})
	tr := &apivideo.Transport{Source: src, Base: tripper(func(*http.Request) (*http.Response, error) {
		return answer(200, "text/plain", "both"), broken
	})}
	req, _ := http.NewRequest("GET", "https://ws.api.video/videos", nil)
	resp, err := tr.RoundTrip(req)
	assert.Nil(t, resp)
	assert.ErrorIs(t, err, broken)
	tr.Base = tripper(func(*http.Request) (*http.Response, error) { return nil, nil })
	_, err = (&http.Client{Transport: tr}).Do(req)
	assert.Error(t, err)
}

type idle struct {
	http.RoundTripper
	closed int
}

func (i *idle) CloseIdleConnections() { i.closed++ }

func TestCloseIdleConnectionsReachesTheBase(t *testing.T) {
	base := &idle{}
	(&http.Client{Transport: &apivideo.Transport{Base: base}}).CloseIdleConnections()
	assert.Equal(t, 1, base.closed)
	(&apivideo.Transport{}).CloseIdleConnections()
	(&apivideo.Transport{Base: &recorder{}}).CloseIdleConnections()
}

func TestARequestsContextBoundsTheWaitForAToken(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		srv.FailFunc(func(apivideotest.Op) apivideotest.Fault { return apivideotest.Hang })
		client := srv.Config().Client(ctx)
		together(500, func(int) {
			ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
			defer cancel()
			req, _ := http.NewRequestWithContext(ctx, "GET", srv.URL+"/videos", nil)
			start := time.Now()
			_, err := client.Do(req)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			var timeout interface{ Timeout() bool }
			assert.True(t, errors.As(err, &timeout) && timeout.Timeout())
			assert.Equal(t, 200*time.Millisecond, time.Since(start))
		})
		time.Sleep(20 * time.Second)
		assert.LessOrEqual(t, srv.Counters().AuthCalls, 2)
	})
}

func TestAHundredConcurrent401sCostOneRenewal(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		client := srv.Config().Client(ctx)
		get(t, client, srv)
		srv.SetAuthLatency(100 * time.Millisecond)
		for range 3 { // revoked again right after it healed
			before := srv.Counters()
			srv.RevokeAccessTokens()
			together(100, func(i int) {
				time.Sleep(time.Duration(i) * time.Millisecond)
				resp, err := client.Post(srv.URL+"/videos", "text/plain", strings.NewReader("a body that can be had again"))
				require.NoError(t, err)
				assert.Equal(t, 200, resp.StatusCode)
			})
			after := srv.Counters()
			assert.Equal(t, 1, after.AuthCalls-before.AuthCalls)
			assert.Equal(t, 1, after.Refreshed-before.Refreshed)
			assert.Equal(t, 100, after.Authorized-before.Authorized)
			assert.Equal(t, 1, after.Unauthorized-before.Unauthorized, "who comes later waits for the new token")
		}
	})
}

func TestAHundredConcurrent401sOverOneConnection(t *testing.T) {
	srv := apivideotest.NewServer()
	defer srv.Close()
	srv.HandleFunc("/videos", listVideos)
	base := &http.Transport{MaxConnsPerHost: 1}
	defer base.CloseIdleConnections()
	client := srv.Config().Client(through(t.Context(), base.RoundTrip))
	client.Timeout = 20 * time.Second
	get(t, client, srv)
	for range 2 {
		before := srv.Counters()
		srv.RevokeAccessTokens()
		together(100, func(int) {
			resp, err := client.Post(srv.URL+"/videos", "text/plain", strings.NewReader("again"))
			if assert.NoError(t, err) {
				assert.Equal(t, 200, resp.StatusCode)
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
		assert.Equal(t, 1, srv.Counters().AuthCalls-before.AuthCalls)
	}
}

// refusingAPI is a base whose API calls get this 401.
func refusingAPI(srv *apivideotest.Server, status int, body string) tripper {
	return func(r *http.Request) (*http.Response, error) {
		if strings.HasPrefix(r.URL.Path, "/auth/") {
			return srv.Transport().RoundTrip(r)
		}
		return answer(status, "application/problem+json", body), nil
	}
}

func TestWhich401sAreAboutTheAccessToken(t *testing.T) {
	const docs = "https://docs.api.video/reference/"
	for body, renews := range map[string]bool{
		`{"type":"` + docs + `authentication-invalid-access-token","title":"x"}`: true,
		`{"type":"` + docs + `authentication-invalid-access-token/"}`:            true,
		`{"type":"` + docs + `something-new"}`:                                   true,
		`{"title":"Unauthorized"}`:                                               true,
		`<html>of a firewall</html>`:                                             true,
		``:                                                                       true,
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
		bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
			client := srv.Config().Client(through(ctx, refusingAPI(srv, 401, body)))
			resp, err := client.Get(srv.URL + "/videos")
			require.NoError(t, err)
			got, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			assert.Equal(t, body, string(got), "the body is whole")
			assert.Equal(t, renews, srv.Counters().AuthCalls == 2, body)
		})
	}
}

func TestTheBodyOfA401IsClosedBeforeTheAuthCall(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		var open *closing
		client := srv.Config().Client(through(ctx, func(r *http.Request) (*http.Response, error) {
			if open != nil {
				assert.EqualValues(t, 1, open.closed.Load())
			}
			resp, err := srv.Transport().RoundTrip(r)
			if resp.StatusCode == 401 {
				open = &closing{Reader: resp.Body}
				resp.Body = open
			}
			return resp, err
		}))
		get(t, client, srv)
		srv.RevokeAccessTokens()
		status, _ := get(t, client, srv)
		assert.Equal(t, 200, status)
		assert.NotNil(t, open)
	})
}

func TestALong401GoesToTheCallerAsItCame(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		long := strings.Repeat("x", 64<<10+1)
		body := &closing{Reader: strings.NewReader(long)}
		client := srv.Config().Client(through(ctx, func(r *http.Request) (*http.Response, error) {
			if strings.HasPrefix(r.URL.Path, "/auth/") {
				return srv.Transport().RoundTrip(r)
			}
			resp := answer(401, "text/plain", "")
			resp.Body = body
			return resp, nil
		}))
		resp, err := client.Get(srv.URL + "/videos")
		require.NoError(t, err)
		assert.Zero(t, body.closed.Load())
		got, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		assert.Equal(t, long, string(got))
		resp.Body.Close()
		assert.EqualValues(t, 1, body.closed.Load())
		assert.Equal(t, 1, srv.Counters().AuthCalls)
	})
}

func TestA401WhoseBodyBreaksIsHealedOrGivenAsItCame(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		broken := errors.New("connection reset")
		client := srv.Config().Client(through(ctx, func(r *http.Request) (*http.Response, error) {
			resp, err := srv.Transport().RoundTrip(r)
			if resp != nil && resp.StatusCode == 401 {
				resp.Body = io.NopCloser(io.MultiReader(strings.NewReader("half"), failing{broken}))
			}
			return resp, err
		}))
		get(t, client, srv)
		srv.RevokeAccessTokens()
		status, _ := get(t, client, srv)
		assert.Equal(t, 200, status)

		srv.FailFunc(func(apivideotest.Op) apivideotest.Fault { return apivideotest.Answer(200, "text/plain", "") })
		srv.RevokeAccessTokens()
		resp, err := client.Get(srv.URL + "/videos")
		require.NoError(t, err)
		assert.Equal(t, 401, resp.StatusCode)
		got, err := io.ReadAll(resp.Body)
		assert.Equal(t, "half", string(got))
		assert.ErrorIs(t, err, broken)
	})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A firewall's 401 while the auth service is down must not cost the program
// its good token.
func TestARefusedTokenServesOnIfThereIsNoOther(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		src := srv.Config().Source(ctx)
		client := src.Client(ctx)
		get(t, client, srv)
		good, _ := mustToken(t, src)
		srv.SetAuthLatency(time.Second)
		srv.FailFunc(func(apivideotest.Op) apivideotest.Fault { return apivideotest.Answer(200, "text/plain", "") })
		firewalled := &http.Client{Transport: &apivideo.Transport{Source: src, Base: refusingAPI(srv, 401, "firewall")}}
		var wg sync.WaitGroup
		wg.Go(func() {
			resp, err := firewalled.Get(srv.URL + "/videos")
			if assert.NoError(t, err) {
				body, _ := io.ReadAll(resp.Body)
				assert.Equal(t, 401, resp.StatusCode)
				assert.Equal(t, "firewall", string(body))
			}
		})
		time.Sleep(time.Second / 2)
		status, took := get(t, client, srv)
		assert.Equal(t, 200, status)
		assert.Equal(t, 3*time.Second/2, took, "who comes meanwhile waits for the refresh and the key")
		wg.Wait()
		tok, took := mustToken(t, src)
		assert.Equal(t, good.AccessToken, tok.AccessToken)
		assert.Zero(t, took)
		calls := srv.Counters().AuthCalls
		resp, err := firewalled.Get(srv.URL + "/videos")
		require.NoError(t, err)
		assert.Equal(t, 401, resp.StatusCode)
		assert.Equal(t, calls, srv.Counters().AuthCalls, "the failure is remembered")
	})
}

func TestARequestWhoseContextEndsDuringTheRenewalGetsThatError(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		client := srv.Config().Client(ctx)
		get(t, client, srv)
		srv.SetAuthLatency(5 * time.Second)
		srv.RevokeAccessTokens()
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		req, _ := http.NewRequestWithContext(short, "GET", srv.URL+"/videos", nil)
		resp, err := client.Do(req)
		assert.Nil(t, resp)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		status, _ := get(t, client, srv)
		assert.Equal(t, 200, status)
		assert.Equal(t, 2, srv.Counters().AuthCalls)
	})
}

func TestABodyThatCannotBeHadAgainGetsThe401AndARenewalBehindIt(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		ctx, cancel := context.WithCancel(ctx)
		client := srv.Config().Client(ctx)
		get(t, client, srv)
		srv.SetAuthLatency(time.Second)
		upload := func() int {
			body := &closing{Reader: strings.NewReader("streamed")}
			start := time.Now()
			resp, err := client.Post(srv.URL+"/videos", "video/mp4", body)
			require.NoError(t, err)
			if resp.StatusCode == 401 {
				assert.Zero(t, time.Since(start))
				text, _ := io.ReadAll(resp.Body)
				assert.Contains(t, string(text), "authentication-invalid-access-token")
			}
			assert.EqualValues(t, 1, body.closed.Load())
			return resp.StatusCode
		}
		srv.RevokeAccessTokens()
		assert.Equal(t, 401, upload())
		synctest.Wait()
		assert.Equal(t, 2, srv.Counters().AuthCalls)
		assert.Equal(t, 200, upload(), "it waits for the new token")

		cancel() // nor does the end of the construction context leave it at that
		srv.RevokeAccessTokens()
		assert.Equal(t, 401, upload())
		assert.Equal(t, 200, upload())
		assert.Equal(t, 3, srv.Counters().AuthCalls)
	})
}

func TestABodyIsHadAgainOnlyOnce(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		client := srv.Config().Client(through(ctx, refusingAPI(srv, 401, "")))
		opened := 0
		newRequest := func(getBody func() (io.ReadCloser, error)) *http.Request {
			req, _ := http.NewRequest("POST", srv.URL+"/videos", strings.NewReader("x"))
			req.GetBody = getBody
			return req
		}
		resp, err := client.Do(newRequest(func() (io.ReadCloser, error) {
			opened++
			return io.NopCloser(bytes.NewReader([]byte("x"))), nil
		}))
		require.NoError(t, err)
		assert.Equal(t, 401, resp.StatusCode, "the answer to the second attempt")
		assert.Equal(t, 1, opened)
		time.Sleep(time.Minute)
		resp, err = client.Do(newRequest(func() (io.ReadCloser, error) { return nil, errors.New("gone") }))
		require.NoError(t, err)
		assert.Equal(t, 401, resp.StatusCode)
	})
}

func TestTheReplayHasTheWholeBody(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		var got []string
		srv.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			got = append(got, string(b))
		})
		client := srv.Config().Client(ctx)
		get(t, client, srv)
		srv.RevokeAccessTokens()
		resp, err := client.Post(srv.URL+"/echo", "text/plain", strings.NewReader("the whole body"))
		require.NoError(t, err)
		assert.Equal(t, 200, resp.StatusCode)
		assert.Equal(t, []string{"the whole body"}, got)
		srv.RevokeAccessTokens()
		resp, err = client.Post(srv.URL+"/echo", "text/plain", http.NoBody)
		require.NoError(t, err)
		assert.Equal(t, 200, resp.StatusCode)
	})
}

func TestABodyIsStreamed(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		begun := make(chan struct{})
		client := srv.Config().Client(through(ctx, func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/videos" {
				_, err := io.ReadFull(r.Body, make([]byte, len("begun")))
				assert.NoError(t, err)
				close(begun)
			}
			return srv.Transport().RoundTrip(r)
		}))
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
		resp, err := client.Post(srv.URL+"/videos", "video/mp4", body)
		require.NoError(t, err)
		resp.Body.Close()
	})
}

func TestAnAPIThatRefusesEverythingCostsFewAuthCalls(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		srv.SetAuthLatency(10 * time.Millisecond)
		client := srv.Config().Client(through(ctx, refusingAPI(srv, 401, "")))
		hammer := func(d, every time.Duration) int {
			before := srv.Counters().AuthCalls
			end := time.Now().Add(d)
			together(20, func(int) {
				for time.Now().Before(end) {
					start := time.Now()
					resp, err := client.Get(srv.URL + "/videos")
					if assert.NoError(t, err) {
						assert.Equal(t, 401, resp.StatusCode)
					}
					assert.LessOrEqual(t, time.Since(start), 40*time.Millisecond)
					time.Sleep(every)
				}
			})
			return srv.Counters().AuthCalls - before
		}
		assert.LessOrEqual(t, hammer(3*time.Second, 5*time.Millisecond), 6)
		assert.LessOrEqual(t, hammer(2*time.Minute, time.Second), 8, "1, 2, 4 … 60 seconds")
		assert.LessOrEqual(t, hammer(10*time.Minute, time.Second), 11, "one a minute")
	})
}

func TestProgramsAreNotHeldOffByAnAPIThatRefusesEverything(t *testing.T) {
	for name, renew := range map[string]func(*testing.T, *apivideo.Source){
		"Renew": func(t *testing.T, src *apivideo.Source) {
			_, err := src.Renew(t.Context())
			require.NoError(t, err)
		},
		"Invalidate": func(t *testing.T, src *apivideo.Source) {
			tok, _ := mustToken(t, src)
			src.Invalidate(tok)
			mustToken(t, src)
		},
	} {
		bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
			src := srv.Config().Source(ctx)
			client := src.Client(through(ctx, refusingAPI(srv, 401, "")))
			for range 3 {
				get(t, client, srv)
			}
			assert.Equal(t, 2, srv.Counters().AuthCalls)
			renew(t, src)
			assert.Equal(t, 3, srv.Counters().AuthCalls, name)
		})
	}
}

func TestA401AboutATokenThatWasReplacedSinceCostsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		src := srv.Config().Source(ctx)
		slow := make(chan struct{})
		n := 0
		client := &http.Client{Transport: &apivideo.Transport{Source: src, Base: tripper(func(r *http.Request) (*http.Response, error) {
			resp, err := srv.Transport().RoundTrip(r)
			if n++; n == 1 {
				<-slow
			}
			return resp, err
		})}}
		mustToken(t, src)
		srv.RevokeAccessTokens()
		var wg sync.WaitGroup
		wg.Go(func() {
			status, _ := get(t, client, srv)
			assert.Equal(t, 200, status)
		})
		synctest.Wait()
		_, err := src.Renew(ctx)
		require.NoError(t, err)
		close(slow)
		wg.Wait()
		assert.Equal(t, 2, srv.Counters().AuthCalls)
	})
}

func TestOtherStatusesGoToTheCaller(t *testing.T) {
	for _, status := range []int{200, 204, 301, 400, 403, 404, 429, 500} {
		bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
			client := srv.Config().Client(through(ctx, refusingAPI(srv, status, "")))
			resp, err := client.Get(srv.URL + "/videos")
			require.NoError(t, err)
			assert.Equal(t, status, resp.StatusCode)
			assert.Equal(t, 1, srv.Counters().AuthCalls)
		})
	}
}

// allocations per request, of a Transport alone.
func roundTripAllocs(t testing.TB, conf apivideo.Config, headers int) float64 {
	resp := answer(200, "text/plain", "")
	conf.APIKey = "made-up-key"
	src := conf.Source(through(t.Context(), func(*http.Request) (*http.Response, error) {
		return grantOf(strings.Repeat("t", 1000), "", 3600), nil
	}))
	tr := &apivideo.Transport{Source: src, Base: tripper(func(*http.Request) (*http.Response, error) { return resp, nil })}
	req, _ := http.NewRequest("GET", "https://ws.api.video/videos", nil)
	for i := range headers {
		req.Header.Set("X-Header-"+string(rune('A'+i)), "value")
	}
	return testing.AllocsPerRun(1000, func() { tr.RoundTrip(req) })
}

func TestARequestCostsThreeAllocationsAtMost(t *testing.T) {
	for headers := range 8 {
		assert.LessOrEqual(t, roundTripAllocs(t, apivideo.Config{}, headers), 3.0, "%d headers", headers)
	}
	named := apivideo.Config{Application: apivideo.Product{Name: "a", Version: "1"}, SDK: apivideo.Product{Name: "b", Version: "1"}}
	assert.LessOrEqual(t, roundTripAllocs(t, named, 5), 3.0)
}

func TestATokenCostsOneAllocation(t *testing.T) {
	src := staticSource(t, apivideo.Config{})
	mustToken(t, src)
	assert.LessOrEqual(t, testing.AllocsPerRun(1000, func() { src.TokenContext(t.Context()) }), 1.0)
}

func TestRefusalsAreHeldOffLongerEachTime(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		var calls []time.Time
		api := refusingAPI(srv, 401, "")
		client := srv.Config().Client(through(ctx, func(r *http.Request) (*http.Response, error) {
			if strings.HasPrefix(r.URL.Path, "/auth/") {
				calls = append(calls, time.Now())
			}
			return api(r)
		}))
		for end := time.Now().Add(4 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			get(t, client, srv)
		}
		var between []time.Duration
		for i, at := range calls[1:] {
			between = append(between, at.Sub(calls[i]).Round(time.Second))
		}
		s := time.Second
		assert.Equal(t, []time.Duration{0, 1 * s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 60 * s, 60 * s}, between)
	})
}

func TestA401Of64KiBIsHealed(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		client := srv.Config().Client(through(ctx, refusingAPI(srv, 401, strings.Repeat("x", 64<<10))))
		get(t, client, srv)
		assert.Equal(t, 2, srv.Counters().AuthCalls)
	})
}

func TestOriginsCompareBySchemeHostAndPort(t *testing.T) {
	rec := &recorder{}
	tr := &apivideo.Transport{Source: staticSource(t, apivideo.Config{}), Base: rec}
	for _, test := range []struct {
		url  *url.URL
		want bool
	}{
		{&url.URL{Scheme: "http", Host: "ws.api.video:443", Path: "/videos"}, false},
		{&url.URL{Scheme: "HTTPS", Host: "ws.api.video", Path: "/videos"}, true},
		{nil, false},
	} {
		_, err := tr.RoundTrip(&http.Request{URL: test.url})
		require.NoError(t, err)
		assert.Equal(t, test.want, rec.sent[len(rec.sent)-1].Header.Get("Authorization") != "", "%v", test.url)
	}
}

func TestARequestsContextBoundsTheWaitForTheNextToken(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		src := srv.Config().Source(ctx)
		mustToken(t, src)
		srv.RevokeAccessTokens()
		srv.SetAuthLatency(5 * time.Second)
		tr := &apivideo.Transport{Source: src, Base: srv.Transport()}
		short, stop := context.WithTimeout(ctx, time.Second)
		defer stop()
		req, _ := http.NewRequestWithContext(short, "GET", srv.URL+"/videos", nil)
		start := time.Now()
		_, err := tr.RoundTrip(req)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(start))
		mustToken(t, src)
		assert.Equal(t, 2, srv.Counters().AuthCalls)
	})
}

func TestATitleIsNoType(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		client := srv.Config().Client(through(ctx, refusingAPI(srv, 401, `{"title":"The API key is invalid."}`)))
		get(t, client, srv)
		assert.Equal(t, 2, srv.Counters().AuthCalls)
	})
}

func TestARequestIsSentTwiceAtMost(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		sent := 0
		client := srv.Config().Client(through(ctx, func(r *http.Request) (*http.Response, error) {
			if strings.HasPrefix(r.URL.Path, "/auth/") {
				return srv.Transport().RoundTrip(r)
			}
			if sent++; sent > 5 {
				return answer(200, "", ""), nil
			}
			time.Sleep(2 * time.Second) // longer than the hold
			return answer(401, "text/plain", ""), nil
		}))
		status, _ := get(t, client, srv)
		assert.Equal(t, 401, status)
		assert.Equal(t, 2, sent)
		assert.Equal(t, 2, srv.Counters().AuthCalls)
	})
}

func TestAnyAnswerButA401EndsTheHold(t *testing.T) {
	for _, other := range []int{200, 302, 404, 503} {
		bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
			status := 401
			client := srv.Config().Client(through(ctx, func(r *http.Request) (*http.Response, error) {
				if strings.HasPrefix(r.URL.Path, "/auth/") {
					return srv.Transport().RoundTrip(r)
				}
				return answer(status, "text/plain", ""), nil
			}))
			hammer := func(d time.Duration) int {
				before := srv.Counters().AuthCalls
				for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
					get(t, client, srv)
				}
				return srv.Counters().AuthCalls - before
			}
			hammer(time.Minute)
			status = other
			get(t, client, srv)
			status = 401
			assert.Equal(t, 2, hammer(2*time.Second), "at once, and a second later")
		})
	}
}

func TestTransportsOfOneSourceAreHeldOffTogether(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		src := srv.Config().Source(ctx)
		ctx = through(ctx, refusingAPI(srv, 401, ""))
		clients := []*http.Client{src.Client(ctx), src.Client(ctx)}
		for i := range 300 {
			get(t, clients[i%2], srv)
			time.Sleep(100 * time.Millisecond)
		}
		assert.LessOrEqual(t, srv.Counters().AuthCalls, 7, "1, 2, 4, 8, 16 seconds")
	})
}

// stream sends a body that cannot be had again.
func stream(t *testing.T, client *http.Client, srv *apivideotest.Server) (int, time.Duration) {
	t.Helper()
	start := time.Now()
	resp, err := client.Post(srv.URL+"/videos", "video/mp4", io.MultiReader(strings.NewReader("streamed")))
	require.NoError(t, err)
	resp.Body.Close()
	return resp.StatusCode, time.Since(start)
}

func TestUploadsToAnAPIThatRefusesEverythingCostFewAuthCalls(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		client := srv.Config().Client(through(ctx, refusingAPI(srv, 401, "")))
		for range 300 {
			stream(t, client, srv)
			time.Sleep(100 * time.Millisecond)
		}
		assert.LessOrEqual(t, srv.Counters().AuthCalls, 7, "1, 2, 4, 8, 16 seconds")
	})
}

func TestUploadsWithARejectedKeyCostFewAuthCalls(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		client := srv.Config().Client(ctx)
		get(t, client, srv)
		srv.RevokeAccessTokens()
		srv.FailFunc(func(apivideotest.Op) apivideotest.Fault {
			return apivideotest.Answer(401, "application/problem+json", `{"title":"The API key is invalid."}`)
		})
		for range 20 {
			status, _ := stream(t, client, srv)
			assert.Equal(t, 401, status)
			time.Sleep(100 * time.Millisecond)
		}
		assert.Equal(t, 3, srv.Counters().AuthCalls, "key; refresh, key")
	})
}

func TestAnUploadsLate401CostsNothing(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		src := srv.Config().Source(ctx)
		slow := make(chan struct{})
		client := src.Client(through(ctx, func(r *http.Request) (*http.Response, error) {
			resp, err := srv.Transport().RoundTrip(r)
			<-slow
			return resp, err
		}))
		mustToken(t, src)
		srv.RevokeAccessTokens()
		var wg sync.WaitGroup
		wg.Go(func() {
			status, _ := stream(t, client, srv)
			assert.Equal(t, 401, status)
		})
		synctest.Wait()
		_, err := src.Renew(ctx)
		require.NoError(t, err)
		close(slow)
		wg.Wait()
		synctest.Wait()
		assert.Equal(t, 2, srv.Counters().AuthCalls)
	})
}

func TestARequestThatIsHeldOffJoinsARenewal(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		src := srv.Config().Source(ctx)
		refusing := true
		client := src.Client(through(ctx, func(r *http.Request) (*http.Response, error) {
			if refusing {
				return answer(401, "text/plain", ""), nil
			}
			return srv.Transport().RoundTrip(r)
		}))
		for range 2 {
			get(t, client, srv)
		}
		refusing = false
		srv.RevokeAccessTokens()
		srv.SetAuthLatency(500 * time.Millisecond)
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := src.Renew(ctx)
			assert.NoError(t, err)
		})
		synctest.Wait()
		status, _ := get(t, client, srv)
		assert.Equal(t, 200, status)
		wg.Wait()
		assert.Equal(t, 3, srv.Counters().AuthCalls)
	})
}

func TestARenewalBehindAnUploadIsNotAborted(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		ctx, cancel := context.WithCancel(ctx)
		client := srv.Config().Client(ctx)
		get(t, client, srv)
		srv.SetAuthLatency(time.Second)
		cancel()
		srv.RevokeAccessTokens()
		status, _ := stream(t, client, srv)
		assert.Equal(t, 401, status)
		time.Sleep(2 * time.Second)
		status, took := stream(t, client, srv)
		assert.Equal(t, 200, status)
		assert.Zero(t, took)
	})
}

func TestARefusalOfATokenThatNoRefusalBroughtIsBelievedAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, srv *apivideotest.Server, ctx context.Context) {
		src := srv.Config().Source(ctx)
		mustToken(t, src)
		_, err := src.Renew(ctx)
		require.NoError(t, err)
		srv.RevokeAccessTokens()
		status, _ := get(t, src.Client(ctx), srv)
		assert.Equal(t, 200, status)
	})
}

func TestTheBaseIsTheDefaultTransport(t *testing.T) {
	rec := &recorder{}
	usual := http.DefaultTransport
	http.DefaultTransport = rec
	defer func() { http.DefaultTransport = usual }()
	tr := &apivideo.Transport{Source: staticSource(t, apivideo.Config{})}
	req, _ := http.NewRequest("GET", "https://ws.api.video/videos", nil)
	_, err := tr.RoundTrip(req)
	require.NoError(t, err)
	assert.Len(t, rec.sent, 1)
}

func TestTheAddedHeadersHaveNoRoomInCommon(t *testing.T) {
	base := tripper(func(r *http.Request) (*http.Response, error) {
		_ = append(r.Header["Authorization"], "scribbled")
		_ = append(r.Header["Av-Origin-App"], "scribbled")
		assert.Equal(t, []string{"app:1"}, r.Header["Av-Origin-App"])
		assert.Equal(t, []string{"sdk:2"}, r.Header["Av-Origin-Sdk"])
		return answer(200, "text/plain", "ok"), nil
	})
	src := staticSource(t, apivideo.Config{Application: apivideo.Product{Name: "app", Version: "1"}, SDK: apivideo.Product{Name: "sdk", Version: "2"}})
	req, _ := http.NewRequest("GET", "https://ws.api.video/videos", nil)
	_, err := (&apivideo.Transport{Source: src, Base: base}).RoundTrip(req)
	require.NoError(t, err)
}

func TestA401MayHaveNoBody(t *testing.T) {
	n := 0
	tr := &apivideo.Transport{Source: staticSource(t, apivideo.Config{}), Base: tripper(func(*http.Request) (*http.Response, error) {
		if n++; n > 1 {
			return answer(200, "", ""), nil
		}
		return &http.Response{StatusCode: 401}, nil
	})}
	req, _ := http.NewRequest("GET", "https://ws.api.video/videos", nil)
	resp, err := tr.RoundTrip(req)
	require.NoError(t, err)
	assert.Equal(t, 200, resp.StatusCode)
}
