package apivideo_test

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The parts of random URLs: parts of the base URL, and text that looks like
// them.
var urlParts = struct{ schemes, hosts, ports, paths []string }{
	[]string{"https", "https", "https", "HTTPS", "http", "httpſ", "ftp", ""},
	[]string{
		"ws.api.video", "ws.api.video", "ws.api.video", "WS.Api.Video", "wſ.api.video", "ws.api.video.", "ws.api.video.example",
		"example.com", "user@ws.api.video", "ws.api.video@example.com", "xws.api.video", "127.0.0.1", "[::1]", "",
	},
	[]string{"", "", "", ":443", ":0443", ":80", ":8443", ":", ":4430", ":00"},
	[]string{
		"/", "/", "/v1", "/v1", "/v1", "/V1", "/v12", "v1", "/%76%31", "/..", "/.", "/%2e%2e", "/%2E.", "%2f..", "%2F", "//", `\..`, "/%5c..", "%00",
		"/auth", "/api-key", "/refresh", "/auth/api-key", "/auth%2fapi-key", "/auth/refresh", "/%61uth", "/videos", "/a b", ";x", "%25", "%252e%252e", "/é", "/...",
	},
}

// randomURL makes a URL, as a program may write it or put it together.
func randomURL(r *rand.Rand) *url.URL {
	pick := func(of []string) string { return of[r.IntN(len(of))] }
	var path strings.Builder
	if r.IntN(3) > 0 {
		path.WriteString("/v1")
	}
	for range r.IntN(6) {
		path.WriteString(pick(urlParts.paths))
	}
	scheme, host := pick(urlParts.schemes), pick(urlParts.hosts)+pick(urlParts.ports)
	if r.IntN(4) == 0 {
		u := &url.URL{Scheme: scheme, Host: host, Path: path.String()}
		if r.IntN(2) == 0 {
			u.RawPath = "/v1" + pick(urlParts.paths)
		}
		return u
	}
	u, err := url.Parse(scheme + "://" + host + path.String())
	if err != nil {
		return randomURL(r)
	}
	return u
}

// resolve applies the dots of a path, the slow way.
func resolve(p string) string {
	var parts []string
	for part := range strings.SplitSeq(p, "/") {
		switch {
		case part == "" || part == ".":
		case part == ".." && len(parts) > 0:
			parts = parts[:len(parts)-1]
		case part != "..":
			parts = append(parts, part)
		}
	}
	return "/" + strings.Join(parts, "/")
}

// within reports whether a server finds the path of u below base, and at none
// of the auth operations. The server may decode the path or not.
func within(u *url.URL, base string) bool {
	literal, _ := url.PathUnescape(resolve(u.EscapedPath()))
	for _, p := range []string{literal, resolve(u.EscapedPath()), resolve(u.Path)} {
		rest, ok := strings.CutPrefix(p, base)
		if !ok || rest != "" && rest[0] != '/' || rest == "/auth/api-key" || rest == "/auth/refresh" {
			return false
		}
	}
	return true
}

func TestTransportRandomURLs(t *testing.T) {
	authorized := false
	base := tripper(func(r *http.Request) (*http.Response, error) {
		authorized = r.Header.Get("Authorization") != ""
		return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
	})
	hosts := map[string]bool{"ws.api.video": true, "ws.api.video:443": true, "ws.api.video:0443": true, "ws.api.video:": true}
	for at, seed := range map[string]uint64{"": 1, "/v1": 2} {
		tr := transport(t, apivideo.Config{BaseURL: apivideo.ProductionURL + at}, base)
		r, count := rand.New(rand.NewPCG(seed, 0)), 0
		for range 150_000 {
			u := randomURL(r)
			_, err := tr.RoundTrip(&http.Request{URL: u})
			require.NoError(t, err)
			if !authorized {
				continue
			}
			count++
			own := strings.EqualFold(u.Scheme, "https") && u.Scheme != "httpſ" && hosts[strings.ToLower(u.Host)]
			if !own || !within(u, at) {
				t.Fatalf("%s is authorized, with the base URL %s", u, apivideo.ProductionURL+at)
			}
		}
		assert.Greater(t, count, 5_000)
	}
}
