package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// runWith runs the program in this environment and returns what it prints.
func runWith(ctx context.Context, color bool, env map[string]string) (string, error) {
	var b strings.Builder
	err := run(ctx, &b, color, func(name string) string { return env[name] })
	return b.String(), err
}

// rehearse plays the demonstration in virtual time, with both hosts in memory.
func rehearse(t *testing.T) (out string, err error) {
	var b strings.Builder
	synctest.Test(t, func(t *testing.T) {
		srv := apivideotest.NewUnstartedServer()
		ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: hosts{srv}})
		err = play(ctx, &screen{Writer: &b}, srv, "https://stranger.invalid")
	})
	return b.String(), err
}

// hosts reaches the server in memory, and for every other host a stranger.
type hosts struct{ srv *apivideotest.Server }

func (h hosts) RoundTrip(req *http.Request) (*http.Response, error) {
	if h.srv.URL == "https://"+req.URL.Host {
		return h.srv.Transport().RoundTrip(req)
	}
	w := httptest.NewRecorder()
	countTokens(w, req)
	resp := w.Result()
	resp.Request = req
	return resp, nil
}

func TestDemoShowsEveryScene(t *testing.T) {
	out, err := rehearse(t)
	require.NoError(t, err)
	for _, want := range []string{
		"requests served: 50, exchanges of the API key: 1, slowest request: 300ms",
		"renewals: 2 of 300ms each, slowest request: 0s",
		"401s: 1, renewals: 1, and the request was sent again: served in 300ms",
		"refreshes refused: 1, exchanges of the API key instead: 1, new token after 600ms",
		"followed to stranger.invalid, which received this many tokens: 0",
		"of which failed                 0",
		"auth calls                        6   (2 with the API key, 3 refreshes, 1 refused)",
	} {
		assert.Contains(t, out, want)
	}
	assert.NotContains(t, out, "✗")
	assert.NotContains(t, out, "\x1b", "no color where it is not asked for")
}

func TestDemoCanBeInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := runWith(ctx, true, nil)
	assert.EqualError(t, err, "interrupted")
}

func TestListVideosWithKey(t *testing.T) {
	srv := apivideotest.NewServer()
	defer srv.Close()
	srv.HandleFunc("GET /videos", func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "apivideo-quickstart:1", r.Header.Get("AV-Origin-App"))
		io.WriteString(w, `{"data":[{"videoId":"vi1","title":"First"},{"videoId":"vi2","title":"Sec\u001b[31mond"}]}`)
	})
	env := map[string]string{"APIVIDEO_API_KEY": srv.Config().APIKey, "APIVIDEO_BASE_URL": srv.URL}
	out, err := runWith(t.Context(), true, env)
	require.NoError(t, err)
	assert.Regexp(t, regexp.MustCompile(`(?s)^Authenticated at http://.*The first 2 videos:\n  vi1 +First\n  vi2 +Sec\[31mond\nThe token expires at \d\d:\d\d:\d\d, in (1h0m0s|59m\d+s)\.\n$`), out)
	assert.NotContains(t, out, env["APIVIDEO_API_KEY"])
}

func TestListVideosWrongKey(t *testing.T) {
	srv := apivideotest.NewServer()
	defer srv.Close()
	out, err := runWith(t.Context(), true, map[string]string{"APIVIDEO_API_KEY": "made-up-key-of-nobody", "APIVIDEO_BASE_URL": srv.URL})
	require.EqualError(t, err, "apivideo: authenticate: 401 Unauthorized: The API key is invalid. at "+srv.URL+"; sandbox and production have separate keys")
	assert.Empty(t, out)
}

func TestListVideosNoNetwork(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	_, err := runWith(t.Context(), true, map[string]string{"APIVIDEO_API_KEY": "made-up-key", "APIVIDEO_BASE_URL": gone.URL})
	require.ErrorContains(t, err, "connection refused")
	assert.NotContains(t, err.Error(), "\n")
}

func TestListVideosAPIFails(t *testing.T) {
	srv := apivideotest.NewServer()
	defer srv.Close()
	env := map[string]string{"APIVIDEO_API_KEY": srv.Config().APIKey, "APIVIDEO_BASE_URL": srv.URL}
	srv.FailAPI(apivideotest.Status(http.StatusServiceUnavailable))
	_, err := runWith(t.Context(), true, env)
	assert.EqualError(t, err, "listing the videos: 503 Service Unavailable")
	srv.HandleFunc("GET /videos", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>") })
	_, err = runWith(t.Context(), true, env)
	assert.ErrorContains(t, err, "listing the videos: invalid character")
}
