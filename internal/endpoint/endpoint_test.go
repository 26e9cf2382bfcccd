package endpoint_test

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/apivideo/api.video-go-oauth2"
	"github.com/apivideo/api.video-go-oauth2/internal/endpoint"
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

// unescaped removes the needless escapes of urlParts.
var unescaped = strings.NewReplacer("%76", "v", "%31", "1", "%61", "a")

// within reports whether a server finds the path of u below base, and at none
// of the auth operations. The server may decode the path or not.
func within(u *url.URL, base string) bool {
	literal, _ := url.PathUnescape(resolve(u.EscapedPath()))
	for _, p := range []string{literal, unescaped.Replace(resolve(u.EscapedPath())), resolve(u.Path)} {
		rest, ok := strings.CutPrefix(p, base)
		if !ok || rest != "" && rest[0] != '/' || rest == "/auth/api-key" || rest == "/auth/refresh" {
			return false
		}
	}
	return true
}

// Promise: A token goes only to the API for every URL, escaped or not.
func TestEndpointRandomURLs(t *testing.T) {
	hosts := map[string]bool{"ws.api.video": true, "ws.api.video:443": true, "ws.api.video:0443": true, "ws.api.video:": true}
	for at, seed := range map[string]uint64{"": 1, "/v1": 2} {
		base, err := endpoint.Parse(apivideo.ProductionURL + at)
		require.NoError(t, err)
		r, count := rand.New(rand.NewPCG(seed, 0)), 0
		for range 150_000 {
			u := randomURL(r)
			if base.Excludes(&http.Request{URL: u}) != "" {
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

// The other environment is known by its host, however that is written.
func TestEndpointIsOther(t *testing.T) {
	base, err := endpoint.Parse(apivideo.SandboxURL)
	require.NoError(t, err)
	for raw, want := range map[string]bool{
		"https://ws.api.video/videos":      true,
		"http://WS.api.video:8080":         true,
		"https://sandbox.api.video/videos": false,
		"https://sandbox.api.video:444":    true,
		"https://example.com":              false,
	} {
		u, err := url.Parse(raw)
		require.NoError(t, err)
		assert.Equal(t, want, base.IsOther(u, apivideo.ProductionURL, apivideo.SandboxURL), raw)
	}
}

// A header that net/http writes in another form cannot be compared.
func TestEndpointHasPlainHost(t *testing.T) {
	for raw, want := range map[string]bool{
		"https://ws.api.video": true, "https://[2001:db8::1]:8443": true,
		"https://bücher.example": false, "https://[fe80::1%25eth0]": false,
	} {
		base, err := endpoint.Parse(raw)
		require.NoError(t, err)
		assert.Equal(t, want, base.HasPlainHost(), raw)
	}
}

// Promise: Spellings of a BaseURL that mean the same are one: in the Store, and for the requests that are authorized.
func TestEndpointHasOneSpelling(t *testing.T) {
	for want, spellings := range map[string][]string{
		"https://ws.api.video:443/v1":      {"/v1", "/v%31", "/%76%31", "/%56/../v1/"},
		"https://ws.api.video:443/a~b.c-_": {"/a~b.c-_", "/a%7Eb%2ec%2D%5f", "/%61%7eb.c-_"},
		"https://ws.api.video:443/%C3%A9":  {"/é", "/%c3%a9", "/%C3%a9"},
		"https://ws.api.video:443/a%3Ab":   {"/a%3ab", "/a%3Ab"},
	} {
		for _, base := range spellings {
			e, err := endpoint.Parse("https://ws.api.video" + base)
			require.NoError(t, err)
			assert.Equal(t, want, e.String())
			for _, spelling := range spellings {
				u, err := url.Parse("https://ws.api.video" + spelling + "/videos")
				require.NoError(t, err)
				assert.Empty(t, e.Excludes(&http.Request{URL: u}), "%s below %s", spelling, base)
				u, err = url.Parse("https://ws.api.video" + spelling + "/%61uth/api%2dkey")
				require.NoError(t, err)
				assert.NotEmpty(t, e.Excludes(&http.Request{URL: u}), "an auth call")
			}
		}
	}
	e, err := endpoint.Parse("https://ws.api.video/v1")
	require.NoError(t, err)
	for _, path := range []string{"/v1/%2e%2e/videos", "/v%31/%2E./videos", "/x/%2e%2e/v1/videos", "/v%312/videos", "/v1%2f../x"} {
		u, err := url.Parse("https://ws.api.video" + path)
		require.NoError(t, err)
		assert.NotEmpty(t, e.Excludes(&http.Request{URL: u}), path)
	}
}
