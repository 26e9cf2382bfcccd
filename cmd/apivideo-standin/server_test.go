package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// rig is a server with a client.
type rig struct {
	*testing.T
	s   *server
	url string
}

func newRig(t *testing.T, o options) *rig {
	t.Helper()
	s, err := newServer(o, io.Discard)
	require.NoError(t, err)
	front := httptest.NewServer(s)
	t.Cleanup(front.Close)
	return &rig{t, s, front.URL}
}

// reply is an answer, and what it says if it is JSON.
type reply struct {
	status int
	header http.Header
	body   string

	Title      string
	APIKey     string `json:"apiKey"`
	Access     string `json:"access_token"`
	Refresh    string `json:"refresh_token"`
	Token      string
	VideoID    string `json:"videoId"`
	Requests   []entry
	Pagination struct{ ItemsTotal int }
	Assets     map[string]string
}

// call makes a request with the API key. Headers are names and values.
func (g *rig) call(method, path, body string, headers ...string) (r reply) {
	g.Helper()
	req, err := http.NewRequest(method, g.url+path, strings.NewReader(body))
	require.NoError(g, err)
	req.SetBasicAuth(g.s.key, "")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(g, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(g, err)
	r.status, r.header, r.body = resp.StatusCode, resp.Header, string(data)
	_ = json.Unmarshal(data, &r)
	return r
}

func (g *rig) login() reply {
	g.Helper()
	r := g.call("POST", "/auth/api-key", `{"apiKey":"`+g.s.key+`"}`)
	require.Equal(g, 200, r.status, r.body)
	return r
}

// upload sends a file.
func (g *rig) upload(path, content string, headers ...string) reply {
	g.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", "film.mp4")
	require.NoError(g, err)
	io.WriteString(file, content)
	require.NoError(g, form.Close())
	return g.call("POST", path, body.String(), append(headers, "Content-Type", form.FormDataContentType())...)
}

func TestControlRevokesAndSuspends(t *testing.T) {
	g := newRig(t, options{})
	token := g.login()
	bearer := []string{"Authorization", "Bearer " + token.Access}
	require.Equal(t, 200, g.call("GET", "/videos", "", bearer...).status)
	assert.Equal(t, 204, g.call("POST", "/_control/revoke", "").status)
	assert.Equal(t, 401, g.call("GET", "/videos", "", bearer...).status)
	renewed := g.call("POST", "/auth/refresh", `{"refreshToken":"`+token.Refresh+`"}`)
	assert.Equal(t, 200, renewed.status)
	g.call("POST", "/_control/revoke?refresh=true", "")
	assert.Equal(t, 401, g.call("POST", "/auth/refresh", `{"refreshToken":"`+renewed.Refresh+`"}`).status)

	g.call("POST", "/_control/suspend", "")
	assert.Equal(t, "Suspended account", g.call("GET", "/videos", "").Title)
	g.call("POST", "/_control/suspend?suspended=false", "")
	assert.Equal(t, 200, g.call("GET", "/videos", "").status)
}

func TestControlDownAndLatency(t *testing.T) {
	g := newRig(t, options{})
	status := func() []int {
		return []int{
			g.call("GET", "/videos", "").status,
			g.call("POST", "/auth/api-key", `{"apiKey":"`+g.s.key+`"}`).status,
		}
	}
	g.call("POST", "/_control/down?status=502&for=1h", "")
	assert.Equal(t, []int{502, 502}, status())
	g.call("POST", "/_control/down?for=1h&calls=auth", "")
	assert.Equal(t, []int{200, 503}, status())
	g.call("POST", "/_control/down?for=1h&calls=api", "")
	assert.Equal(t, []int{503, 200}, status())
	assert.Contains(t, g.call("GET", "/videos", "").body, "<html>", "as from a CDN")
	g.call("POST", "/_control/down?for=1ms", "")
	time.Sleep(2 * time.Millisecond)
	assert.Equal(t, []int{200, 200}, status())

	g.call("POST", "/_control/latency?auth=50ms", "")
	begun := time.Now()
	g.login()
	assert.GreaterOrEqual(t, time.Since(begun), 50*time.Millisecond)
	g.call("POST", "/_control/latency?api=1h", "")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", g.url+"/videos", nil)
	_, err := http.DefaultClient.Do(req)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestControlKeysAndReset(t *testing.T) {
	g := newRig(t, options{})
	added := g.call("POST", "/_control/keys", "").APIKey
	require.NotEmpty(t, added)
	assert.Equal(t, 204, g.call("POST", "/_control/keys?delete="+g.s.key, "").status)
	assert.Equal(t, 401, g.call("GET", "/videos", "").status)
	assert.Equal(t, 200, g.call("POST", "/auth/api-key", `{"apiKey":"`+added+`"}`).status)

	g.call("POST", "/_control/down?for=1h", "")
	g.call("POST", "/_control/reset", "")
	assert.Empty(t, g.call("GET", "/_control/requests", "").Requests)
	assert.Equal(t, 3, g.call("GET", "/videos", "").Pagination.ItemsTotal, "the first key and the seed are there again")
	g.call("POST", "/videos", `{"title":"A"}`)
	assert.Equal(t, 4, g.call("GET", "/videos", "").Pagination.ItemsTotal)
	g.call("POST", "/_control/reset", "")
	assert.Equal(t, 3, g.call("GET", "/videos", "").Pagination.ItemsTotal)
}

func TestControlMistakesChangeNothing(t *testing.T) {
	g := newRig(t, options{})
	for query, want := range map[string]string{
		"down?status=200":        "status=200: it must be from 400 to 599",
		"down?status=x":          `status=x: strconv.Atoi: parsing "x": invalid syntax`,
		"down?for=soon":          `for=soon: time: invalid duration "soon"`,
		"down?calls=some":        "calls=some: it must be auth or api",
		"down?until=now":         `there is no parameter "until"`,
		"latency?auth=2":         `auth=2: time: missing unit in duration "2"`,
		"revoke?refresh=x":       `refresh=x: strconv.ParseBool: parsing "x": invalid syntax`,
		"suspend?for=10s":        `there is no parameter "for"`,
		"keys?delete=made-up":    "there is no such key",
		"keys?remove=" + g.s.key: `there is no parameter "remove"`,
		"reset?all=true":         `there is no parameter "all"`,
	} {
		r := g.call("POST", "/_control/"+query, "")
		assert.Equal(t, []any{400, want}, []any{r.status, r.Title})
	}
	assert.Equal(t, 200, g.call("GET", "/videos", "").status)
	assert.Equal(t, 405, g.call("GET", "/_control/reset", "").status)
	assert.Equal(t, 404, g.call("POST", "/_control/made-up", "").status)
}

func TestRecordHasRequestsWithoutSecrets(t *testing.T) {
	g := newRig(t, options{})
	token := g.login()
	upload := g.call("POST", "/upload-tokens", `{}`).Token
	g.call("GET", "/upload-tokens/"+upload, "")
	g.upload("/upload?token="+upload, "made-up film")
	g.call("GET", "/videos?title="+token.Access+"&tags[]="+g.s.key, "", "Authorization", token.Access)
	g.call("GET", "/live-streams?streamKey=made-up-stream-key", "", "Authorization", "Bearer "+token.Access)

	r := g.call("GET", "/_control/requests", "")
	for _, secret := range []string{g.s.key, token.Access, token.Refresh, upload, "made-up-stream-key"} {
		assert.NotContains(t, r.body, secret)
	}
	var paths []string
	for _, e := range r.Requests {
		paths = append(paths, e.Method+" "+e.Path)
	}
	assert.Equal(t, []string{
		"POST /auth/api-key", "POST /upload-tokens", "GET /upload-tokens/REDACTED", "POST /upload?token=REDACTED",
		"GET /videos?tags%5B%5D=REDACTED&title=REDACTED", "GET /live-streams?streamKey=REDACTED",
	}, paths)
	sent := r.Requests[3]
	assert.Equal(t, 201, sent.Status)
	require.NotNil(t, sent.Upload)
	assert.Equal(t, int64(12), sent.Upload.Bytes)
	assert.Equal(t, fmt.Sprintf("%x", sha256.Sum256([]byte("made-up film"))), sent.Upload.SHA256)
	assert.Equal(t, "Bearer", r.Requests[5].Authorization)
}

func TestRecordKeepsTheLastThousand(t *testing.T) {
	var r record
	for i := range 5*maxEntries + 1 {
		r.add(entry{Status: i})
	}
	last := r.last()
	require.Len(t, last, maxEntries)
	assert.Equal(t, []int{4*maxEntries + 1, 5 * maxEntries}, []int{last[0].Status, last[maxEntries-1].Status})
}

func TestWebPagesMayUpload(t *testing.T) {
	g := newRig(t, options{})
	token := g.call("POST", "/upload-tokens", `{}`).Token
	page := []string{"Origin", "https://example.com", "Authorization", ""}
	preflight := g.call("OPTIONS", "/upload?token="+token, "", append(page,
		"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-range")...)
	assert.Equal(t, 204, preflight.status)
	assert.Equal(t, "*", preflight.header.Get("Access-Control-Allow-Origin"))
	assert.Equal(t, "POST, OPTIONS", preflight.header.Get("Access-Control-Allow-Methods"))
	assert.Contains(t, preflight.header.Get("Access-Control-Allow-Headers"), "Content-Range")
	first := g.upload("/upload?token="+token, "made-up ", append(page, "Content-Range", "part 1/*")...)
	assert.Equal(t, []any{201, "*"}, []any{first.status, first.header.Get("Access-Control-Allow-Origin")})
	assert.Contains(t, first.header.Get("Access-Control-Expose-Headers"), "X-RateLimit-Remaining")
	refused := g.call("GET", "/videos", "", page...)
	assert.Equal(t, []any{401, "*"}, []any{refused.status, refused.header.Get("Access-Control-Allow-Origin")}, "the page reads the reason")

	assert.Equal(t, "DELETE, GET, HEAD, PATCH, OPTIONS", g.call("OPTIONS", "/videos/vi7", "").header.Get("Allow"))
	assert.Equal(t, 404, g.call("OPTIONS", "/made-up", "").status)
}

func TestLimitsAreEnforced(t *testing.T) {
	o, err := parse([]string{"-limit"})
	require.NoError(t, err)
	g := newRig(t, o)
	r := g.call("GET", "/videos", "")
	assert.Equal(t, []string{"100", "99"}, []string{r.header.Get("X-RateLimit-Limit"), r.header.Get("X-RateLimit-Remaining")})
	for range 99 {
		r = g.call("GET", "/videos", "")
	}
	assert.Equal(t, []any{200, "0"}, []any{r.status, r.header.Get("X-RateLimit-Remaining")})
	assert.Equal(t, 429, g.call("GET", "/videos", "").status)
	o, err = parse([]string{"-limit=production"})
	require.NoError(t, err)
	assert.Equal(t, 500, o.limit.limits.Reads)
}

func TestKeepStoresUploads(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new", "folder")
	g := newRig(t, options{keep: folder})
	video := g.call("POST", "/videos", `{"title":"A"}`)
	for i, part := range []string{"film", "made-up "} { // the last part first
		r := g.upload("/videos/"+video.VideoID+"/source", part, "Content-Range", []string{"part 2/2", "part 1/2"}[i])
		require.Equal(t, 201, r.status, r.body)
	}
	stored, err := os.ReadFile(filepath.Join(folder, video.VideoID+".mp4"))
	require.NoError(t, err)
	assert.Equal(t, "made-up film", string(stored))
	names, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, names, 1, "no part is left")

	get := func(url string) reply {
		return g.call("GET", strings.TrimPrefix(url, g.url), "", "Range", "bytes=8-", "Authorization", "")
	}
	r := get(video.Assets["mp4"])
	assert.Equal(t, []any{206, "film", "video/mp4"}, []any{r.status, r.body, r.header.Get("Content-Type")})
	g.upload("/videos/"+video.VideoID+"/source", "another")
	names, _ = os.ReadDir(folder)
	assert.Len(t, names, 1, "a refused upload leaves nothing")
}

func TestWithoutKeepMP4IsMissing(t *testing.T) {
	g := newRig(t, options{})
	video := g.call("POST", "/videos", `{"title":"A"}`)
	g.upload("/videos/"+video.VideoID+"/source", "made-up film")
	r := g.call("GET", strings.TrimPrefix(video.Assets["mp4"], g.url), "")
	assert.Equal(t, []any{404, "The requested resource was not found."}, []any{r.status, r.Title})
}

func TestTLSNamesItsAuthority(t *testing.T) {
	stdout := make(lines, 10)
	conf := account(t, start(t, stdout, "-tls"))
	name, value, _ := strings.Cut(strings.TrimSpace(<-stdout), "=")
	require.Equal(t, "APIVIDEO_CA_FILE", name)
	authority, err := os.ReadFile(value)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(authority))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer transport.CloseIdleConnections()
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: transport})
	resp, err := conf.Client(ctx).Get(conf.BaseURL + "/videos")
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, 200, resp.StatusCode)
	assert.Contains(t, string(body), `"player":"`+conf.BaseURL+"/", "assets are there too")
	_, err = (&apivideo.Config{APIKey: conf.APIKey, BaseURL: conf.BaseURL}).Token(t.Context())
	assert.Error(t, err, "nobody else trusts it")
}
