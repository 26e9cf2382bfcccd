package proxy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestProxyAnswersAuthCalls(t *testing.T) {
	r := newRig(t, "GET /videos") // auth calls need no pattern
	type tokens struct {
		TokenType    string `json:"token_type"`
		ExpiresIn    int    `json:"expires_in"`
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
	}
	first := r.post("/auth/api-key", `{"apiKey":"`+secret+`"}`)
	require.Equal(t, 200, first.status)
	assert.Equal(t, "no-store", first.header.Get("Cache-Control"))
	var got tokens
	require.NoError(t, json.Unmarshal([]byte(first.body), &got))
	assert.Equal(t, tokens{"Bearer", 3600, got.AccessToken, got.RefreshToken}, got)
	assert.NotContains(t, first.body, secret)
	assert.NotEqual(t, got.AccessToken, got.RefreshToken)
	var next tokens
	require.NoError(t, json.Unmarshal([]byte(r.post("/auth/refresh", `{"refreshToken":"`+got.RefreshToken+`"}`).body), &next))
	assert.Equal(t, "Bearer", next.TokenType)

	for _, c := range []struct{ path, body, problem string }{
		{"/auth/api-key", `{"apiKey":"` + r.srv.Config().APIKey + `"}`, "authentication-invalid-api-key"},
		{"/auth/api-key", `{"apiKey":"` + got.AccessToken + `"}`, "authentication-invalid-api-key"},
		{"/auth/refresh", `{"refreshToken":"` + secret + `"}`, "authentication-invalid-refresh-token"},
		{"/auth/api-key", `{"apiKey":1}`, "payload-is-invalid"},
		{"/auth/api-key", `{}`, "payload-is-invalid"},
		{"/auth/refresh", `no JSON`, "payload-is-invalid"},
		{"/auth/api-key", `{"apiKey":"` + strings.Repeat("x", 1<<20) + `"}`, "payload-is-invalid"},
	} {
		assert.Equal(t, c.problem, r.post(c.path, c.body).problem(), c.body)
	}
	wrong := r.get("/auth/api-key")
	assert.Equal(t, 405, wrong.status)
	assert.Equal(t, "POST", wrong.header.Get("Allow"))
	assert.Equal(t, 1, r.srv.Counters().AuthCalls, "the first login gets the token that its client will need")
}

func TestProxyChecksCredential(t *testing.T) {
	r := newRig(t)
	r.srv.HandleFunc("GET /videos", func(http.ResponseWriter, *http.Request) {})
	var token struct {
		AccessToken string `json:"access_token"`
	}
	require.NoError(t, json.Unmarshal([]byte(r.post("/auth/api-key", `{"apiKey":"`+secret+`"}`).body), &token))
	basic := func(user string) string {
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		req.SetBasicAuth(user, "")
		return req.Header.Get("Authorization")
	}
	for _, c := range []struct{ authorization, problem string }{
		{basic(secret), ""},
		{"Bearer " + token.AccessToken, ""},
		{"bearer " + token.AccessToken, ""},
		{"", "authentication-missing-authorization-header"},
		{basic("another"), "authentication-invalid-api-key"},
		{basic(r.srv.Config().APIKey), "authentication-invalid-api-key"},
		{"Bearer " + secret, "authentication-invalid-access-token"},
		{"Bearer x", "authentication-invalid-access-token"},
		{"Digest x", "authentication-invalid-authorization-header-value"},
	} {
		req := r.request(http.MethodGet, "/videos", nil)
		req.Header.Set("Authorization", c.authorization)
		if c.authorization == "" {
			req.Header.Del("Authorization")
		}
		got := r.do(req)
		if c.problem == "" {
			assert.Equal(t, 200, got.status, c.authorization)
			continue
		}
		assert.Equal(t, 401, got.status)
		assert.Equal(t, c.problem, got.problem())
	}
	assert.Equal(t, 1, r.srv.Counters().AuthCalls)
}

func TestProxyWorksForClientOfThisLibrary(t *testing.T) {
	r := newRig(t)
	r.srv.HandleFunc("GET /videos", func(http.ResponseWriter, *http.Request) {})
	conf := &apivideo.Config{APIKey: secret, BaseURL: r.proxy.URL}
	resp, err := conf.Client(t.Context()).Get(r.proxy.URL + "/videos")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, 200, resp.StatusCode)
}

func TestProxyEndsHeadersHere(t *testing.T) {
	r := newRig(t)
	var token string
	r.srv.HandleFunc("GET /videos", func(w http.ResponseWriter, req *http.Request) {
		token, _ = strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
		assert.Equal(t, strings.TrimPrefix(r.api.URL, "http://"), req.Host)
		assert.Equal(t, "kept", req.Header.Get("X-Own"))
		assert.Equal(t, "app:1", req.Header.Get("AV-Origin-App"))
		assert.Equal(t, "identity", req.Header.Get("Accept-Encoding"))
		for _, name := range []string{"Cookie", "Connection", "Upgrade", "X-Hop", "Keep-Alive", "Proxy-Authorization", "X-Forwarded-For"} {
			assert.Empty(t, req.Header.Values(name), name)
		}
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Set-Cookie", "a=b")
		w.Header().Set("X-Echo", "Bearer "+token)
		w.Header().Set("X-Own", "kept too")
	})
	req := r.request(http.MethodGet, "/videos", nil)
	for name, value := range map[string]string{
		"Cookie": "a=b", "Connection": "Upgrade, X-Hop", "Upgrade": "websocket", "X-Hop": "1", "Keep-Alive": "5", "X-Own": "kept",
		"Proxy-Authorization": "Basic x", "Accept-Encoding": "gzip", "AV-Origin-App": "app:1",
	} {
		req.Header.Set(name, value)
	}
	got := r.do(req)
	require.Equal(t, 200, got.status)
	require.True(t, r.srv.Valid(token))
	assert.NotContains(t, got.all, token)
	assert.Equal(t, "kept too", got.header.Get("X-Own"))
	for _, name := range []string{"Access-Control-Allow-Origin", "Set-Cookie", "X-Echo"} {
		assert.Empty(t, got.header.Values(name), name)
	}
}

func TestProxyLeavesQueryAsItIs(t *testing.T) {
	r := newRig(t)
	r.srv.HandleFunc("GET /query", func(w http.ResponseWriter, req *http.Request) { io.WriteString(w, req.URL.RawQuery) })
	for _, query := range []string{"a=1&b=%20+", "title=100%", "title=a;b", "a=%zz&b=1", "&&a"} {
		req := r.request(http.MethodGet, "/query", nil)
		req.URL.RawQuery = query
		assert.Equal(t, query, r.do(req).body)
	}
}

func TestProxyDelegatedUploadHasNoToken(t *testing.T) {
	r := newRig(t)
	r.open.HandleFunc("POST /upload", func(w http.ResponseWriter, req *http.Request) {
		assert.Empty(t, req.Header.Values("Authorization"))
		io.Copy(w, req.Body)
	})
	assert.Equal(t, "the video", r.post("/upload?token=to1", "the video").body)
	assert.Equal(t, "the video", r.do(r.request("POST", "/upload?token=to1", strings.NewReader("the video"))).body)
	assert.Equal(t, 401, r.post("/upload", "the video").status)
	assert.Zero(t, r.srv.Counters().AuthCalls)
}

func TestProxyServiceDown(t *testing.T) {
	r := newRig(t)
	r.srv.FailFunc(func(apivideotest.Op) apivideotest.Fault { return apivideotest.Status(429).RetryAfter("90") })
	got := r.get("/videos")
	assert.Equal(t, 502, got.status)
	assert.Equal(t, "90", got.header.Get("Retry-After"))
	assert.Contains(t, got.body, "authenticate: 429 Too Many Requests: Too many requests.")
	assert.NotContains(t, got.all, r.srv.Config().APIKey)

	r = newRig(t)
	r.srv.HandleFunc("GET /broken", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	got = r.get("/broken?token=to1")
	assert.Equal(t, 502, got.status)
	assert.Contains(t, got.body, "No answer from the API: ")
	assert.NotContains(t, got.all, "to1")
}

// A server cancels the request of a client that closed its sending side. The
// client may still read.
func TestProxyCanceledRequestGetsNoAnswer(t *testing.T) {
	r := newRig(t)
	r.srv.HandleFunc("DELETE /slow", func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() })
	conn, err := net.Dial("tcp", r.proxy.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, r.request(http.MethodDelete, "/slow", nil).Write(conn))
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	got, err := io.ReadAll(conn)
	assert.NoError(t, err)
	assert.Empty(t, string(got))
}

func TestProxyRedirectStaysLocal(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct{ location, want string }{
		{r.api.URL + "/videos/vi1?a=b", "/videos/vi1?a=b"},
		{r.api.URL + "//evil.example", "/evil.example"},
		{"/videos/vi1", "/videos/vi1"},
		{"https://cdn.example/vi1", "https://cdn.example/vi1"},
	} {
		pattern := fmt.Sprintf("GET /redirect%d", r.srv.Counters().Authorized)
		r.srv.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", c.location)
			w.WriteHeader(302)
		})
		got := r.get(pattern[4:])
		assert.Equal(t, 302, got.status)
		assert.Equal(t, c.want, got.header.Get("Location"))
	}
}
