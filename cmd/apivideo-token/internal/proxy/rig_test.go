package proxy_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token/internal/proxy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const secret = "made-up-secret-of-the-proxy"

// rig is a proxy in front of a stand-in for the service.
type rig struct {
	t       testing.TB
	srv     *apivideotest.Server
	api     *httptest.Server // where the proxy sends requests
	open    *http.ServeMux   // what the API serves without a token
	base    *http.Transport  // of the proxy
	proxy   *httptest.Server
	handler *proxy.Proxy // of proxy
}

func newRig(t testing.TB, allow ...string) *rig {
	r := &rig{t: t, srv: apivideotest.NewServer(), open: http.NewServeMux()}
	t.Cleanup(r.srv.Close)
	r.api = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if h, pattern := r.open.Handler(req); pattern != "" {
			h.ServeHTTP(w, req)
			return
		}
		r.srv.ServeHTTP(w, req)
	}))
	t.Cleanup(r.api.Close)
	r.start(&apivideo.Config{APIKey: r.srv.Config().APIKey, BaseURL: r.api.URL}, allow)
	return r
}

func (r *rig) start(conf *apivideo.Config, allow []string) {
	r.base = http.DefaultTransport.(*http.Transport).Clone()
	r.base.ExpectContinueTimeout = time.Minute // a busy machine answers late
	r.base.MaxIdleConnsPerHost = 200
	r.t.Cleanup(r.base.CloseIdleConnections)
	r.proxy = httptest.NewUnstartedServer(nil)
	host := r.proxy.Listener.Addr().String()
	p, err := proxy.New(proxy.Config{
		Source: conf.Source(r.t.Context()), BaseURL: conf.BaseURL, Secret: secret,
		Hosts: []string{host}, Allow: allow, Base: r.base, Key: func() string { return conf.APIKey },
	})
	require.NoError(r.t, err)
	r.handler, r.proxy.Config.Handler = p, p
	r.proxy.Start()
	r.t.Cleanup(r.proxy.Close)
}

// answer is what a client got.
type answer struct {
	status int
	header http.Header
	body   string
	all    string // as it came over the wire
}

// problem is the identifier of the answer's problem.
func (a answer) problem() string {
	var p apivideo.Problem
	if json.Unmarshal([]byte(a.body), &p) != nil || p.Status != a.status {
		return "none"
	}
	return p.Type[strings.LastIndexAny(p.Type, "/:")+1:]
}

// request makes a request with the secret, for the test to change.
func (r *rig) request(method, path string, body io.Reader) *http.Request {
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.proxy.URL+path, body)
	require.NoError(r.t, err)
	req.SetBasicAuth(secret, "")
	return req
}

func (r *rig) do(req *http.Request) answer {
	r.t.Helper()
	client := &http.Client{
		Transport:     r.proxy.Client().Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	require.NoError(r.t, err)
	defer resp.Body.Close()
	all, err := httputil.DumpResponse(resp, true)
	require.NoError(r.t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	return answer{resp.StatusCode, resp.Header, string(body), string(all)}
}

func (r *rig) get(path string) answer {
	r.t.Helper()
	return r.do(r.request(http.MethodGet, path, nil))
}

// post sends JSON without a credential.
func (r *rig) post(path, body string) answer {
	r.t.Helper()
	req := r.request(http.MethodPost, path, strings.NewReader(body))
	req.Header.Del("Authorization")
	return r.do(req)
}

// echo has the API answer to path with the size of what it received.
func (r *rig) echo(pattern string) *bytes.Buffer {
	var received bytes.Buffer
	r.srv.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
		received.Reset()
		_, err := io.Copy(&received, req.Body)
		assert.NoError(r.t, err)
	})
	return &received
}
