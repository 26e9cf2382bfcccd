package proxy_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// headers are those that a client has sent with a made-up value, and that reach
// the API.
func (r *rig) headers(names ...string) (arrived []string) {
	r.open.HandleFunc("POST /headers", func(_ http.ResponseWriter, req *http.Request) {
		for name, values := range req.Header {
			if strings.Contains(strings.Join(values, ","), "made-up-value") {
				arrived = append(arrived, name)
			}
		}
	})
	req := r.request(http.MethodPost, "/headers", nil)
	for _, name := range names {
		req.Header[name] = []string{"made-up-value"}
	}
	require.Equal(r.t, 200, r.do(req).status)
	return arrived
}

// Promise: No header, parameter or path gets around `-allow`.
func TestAllowPassesOnlyListedHeaders(t *testing.T) {
	needed := []string{
		"Accept", "Accept-Language", "Content-Type", "Content-Range", "If-Match", "Range", "User-Agent",
		"Av-Origin-App", "Av-Origin-Sdk", "Av-Origin-Client", "Traceparent", "Tracestate", "X-Request-Id",
	}
	other := []string{
		"X-HTTP-Method-Override", "X_HTTP_Method_Override", "x-http_method-override", "X-HTTP-Method", "X-Method-Override",
		"X-Original-URL", "X-Original-URI", "X-Original-Method", "X-Original-Host", "X-Rewrite-URL", "X_Original_URL",
		"X-Forwarded-Uri", "X-Forwarded-Path", "X-Forwarded-Prefix", "X-Forwarded-For", "X-Forwarded-Host", "Forwarded",
		"X-Envoy-Original-Path", "X-Envoy-Decorator-Operation", "X-Amzn-Trace-Id", "X-Override-URL", "X-Host",
		"Content_Type", "Cookie", "Proxy-Authorization", "X-Anything-New", "Accept_Language",
	}
	assert.ElementsMatch(t, needed, newRig(t, "/headers").headers(append(other, needed...)...))
}

// Promise: No header, parameter or path gets around `-allow`.
func TestAllowRefusesOtherMethodInTheRequest(t *testing.T) {
	r := newRig(t, "POST /videos")
	r.open.HandleFunc("/videos", func(_ http.ResponseWriter, req *http.Request) {
		assert.Equal(t, "title=a&metadata[method]=b", req.URL.RawQuery)
	})
	for _, query := range []string{
		"_method=DELETE", "title=a&_METHOD=DELETE", "%5Fmethod=DELETE", "a;_method=DELETE", "_method[]=DELETE", ".method=DELETE",
		"+_method=DELETE", "X-HTTP-Method-Override=DELETE", "x_http_method=DELETE", "%zz=1", "_method",
	} {
		got := r.do(r.request(http.MethodPost, "/videos?"+query, nil))
		assert.Equal(t, 400, got.status, query)
		assert.Equal(t, "query", got.problem())
	}
	assert.Equal(t, 200, r.do(r.request(http.MethodPost, "/videos?title=a&metadata[method]=b", nil)).status)
	for _, contentType := range []string{"application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded; charset=utf-8"} {
		req := r.request(http.MethodPost, "/videos", strings.NewReader("_method=DELETE"))
		req.Header["Content-Type"] = []string{"text/plain", contentType}
		got := r.do(req)
		assert.Equal(t, 415, got.status)
		assert.Equal(t, "form", got.problem())
	}
	open := newRig(t)
	open.open.HandleFunc("/videos", func(http.ResponseWriter, *http.Request) {})
	assert.Equal(t, 200, open.do(open.request(http.MethodPost, "/videos?_method=DELETE", nil)).status, "without -allow nothing is forbidden")
}

func TestTrailerReachesNoAPI(t *testing.T) {
	r := newRig(t, "POST /videos")
	r.open.HandleFunc("POST /videos", func(w http.ResponseWriter, req *http.Request) {
		assert.Empty(t, req.Header["Trailer"])
		assert.Empty(t, req.Trailer)
	})
	req := r.request(http.MethodPost, "/videos", unsized{strings.NewReader("body")})
	req.Trailer = http.Header{"X-Http-Method-Override": {"DELETE"}}
	assert.Equal(t, 200, r.do(req).status)
}

// Promise: No header, parameter or path gets around `-allow`.
func TestPathThatServersReadDifferently(t *testing.T) {
	for _, allow := range [][]string{nil, {"GET /videos/{id}"}} {
		r := newRig(t, allow...)
		r.open.HandleFunc("/videos/", func(http.ResponseWriter, *http.Request) {})
		for _, path := range []string{
			"/videos/%2e%2e", "/videos/.", "/videos/%2E", "/videos/a%2fb", "/videos/a%2Fb", "/videos/a%5cb", `/videos/a\b`, "/videos/%00",
			"/videos/a%0d%0ab", "/videos/a%09", "/videos/%7f", "/videos/%c2%85", "/videos/a%252fb", "/videos/a%25b", "/videos/..;", "/videos/a;b",
			"/videos/a%3fb", "/videos/a%23b", "/videos/%41", "/videos/%ff", "/videos/%e2%80%8b", "/videos//a", "/../videos/a",
		} {
			req := r.request(http.MethodGet, "/", nil)
			req.URL.Opaque = path
			got := r.do(req)
			assert.Equal(t, 400, got.status, path)
		}
		for _, path := range []string{"/videos/vi4k0jvEUuaTdRAEjQ4Jfrgz", "/videos/fr-FR", "/videos/a.b_c~d@e:f", "/videos/%C3%A9"} {
			req := r.request(http.MethodGet, "/", nil)
			req.URL.Opaque = path
			assert.Equal(t, 200, r.do(req).status, path)
		}
	}
}

// Browsers leave Origin out of a GET.
//
// Promise: The proxy refuses requests from web pages.
func TestWebPageIsRefusedWithoutOrigin(t *testing.T) {
	r := newRig(t)
	for _, site := range []string{"cross-site", "same-site", "same-origin", "none"} {
		req := r.request(http.MethodGet, "/videos", nil)
		req.Header.Set("Sec-Fetch-Site", site)
		got := r.do(req)
		assert.Equal(t, 403, got.status)
		assert.Equal(t, "web-page", got.problem())
	}
	assert.Zero(t, r.srv.Counters())
}

func TestProxyRefusals(t *testing.T) {
	r := newRig(t)
	r.srv.HandleFunc("/", func(http.ResponseWriter, *http.Request) { t.Error("the API was asked") })
	for name, c := range map[string]struct {
		spoil  func(*http.Request)
		status int
	}{
		"another host":      {func(req *http.Request) { req.Host = "evil.example:80" }, 421},
		"the API's host":    {func(req *http.Request) { req.Host = "ws.api.video" }, 421},
		"no port":           {func(req *http.Request) { req.Host = "127.0.0.1" }, 421},
		"a web page":        {func(req *http.Request) { req.Header.Set("Origin", "http://"+req.URL.Host) }, 403},
		"a preflight":       {func(req *http.Request) { req.Method = "OPTIONS"; req.Header.Set("Origin", "null") }, 403},
		"TRACE":             {func(req *http.Request) { req.Method = "TRACE" }, 405},
		"dots":              {func(req *http.Request) { req.URL.Path = "/videos/../account" }, 400},
		"escaped dots":      {func(req *http.Request) { req.URL.Opaque = "/videos/%2e%2e/account" }, 400},
		"an escaped slash":  {func(req *http.Request) { req.URL.Opaque = "/videos/a%2Fb" }, 400},
		"an empty part":     {func(req *http.Request) { req.URL.Path = "/videos//a" }, 400},
		"an asterisk":       {func(req *http.Request) { req.Method = "PUT"; req.URL.Opaque = "*" }, 400},
		"a URL of another":  {func(req *http.Request) { req.URL.Opaque = "http://evil.example/videos" }, 421},
		"dots to auth call": {func(req *http.Request) { req.Method = "POST"; req.URL.Path = "/x/../auth/api-key" }, 400},
	} {
		req := r.request(http.MethodGet, "/videos", nil)
		c.spoil(req)
		got := r.do(req)
		assert.Equal(t, c.status, got.status, name)
		assert.NotContains(t, got.all, "Access-Control-", name)
	}
	assert.Zero(t, r.srv.Counters())
}

func TestProxyAllowsOnlyPatterns(t *testing.T) {
	r := newRig(t, "GET /videos", "POST /videos/{id}/source", "/players/")
	r.srv.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
	for request, status := range map[string]int{
		"GET /videos":             200,
		"GET /videos?title=a":     200,
		"POST /videos/vi1/source": 200,
		"DELETE /players/pl1":     200,
		"DELETE /videos/vi1":      403,
		"POST /videos":            403,
		"GET /videos/":            403,
		"GET /players":            403, // a mux would redirect
		"POST /upload?token=to1":  403,
	} {
		method, path, _ := strings.Cut(request, " ")
		got := r.do(r.request(method, path, nil))
		assert.Equal(t, status, got.status, request)
		if status == 403 {
			assert.Equal(t, "not-allowed", got.problem())
			assert.Contains(t, got.body, method+" /")
		}
	}
	assert.Equal(t, 4, r.srv.Counters().Authorized)
}
