package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// runWith runs the program in this environment and returns what it prints.
func runWith(ctx context.Context, color bool, env map[string]string) (string, error) {
	var b strings.Builder
	err := run(ctx, &b, color, func(name string) string { return env[name] })
	return b.String(), err
}

func TestTheDemonstrationShowsEveryScene(t *testing.T) {
	start := time.Now()
	out, err := runWith(t.Context(), false, nil)
	require.NoError(t, err)
	assert.Less(t, time.Since(start), 15*time.Second)
	for _, want := range []string{
		"requests served: 50, exchanges of the API key: 1,",
		"renewals: 2 of 300ms each",
		"401s: 1, renewals: 1, and the request was sent again",
		"refreshes refused: 1, exchanges of the API key instead: 1,",
		"which received this many tokens: 0",
		"of which failed                 0",
		"auth calls                        6   (2 with the API key, 3 refreshes, 1 refused)",
	} {
		assert.Contains(t, out, want)
	}
	assert.NotContains(t, out, "\x1b", "no color where it is not asked for")
}

func TestTheDemonstrationCanBeInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := runWith(ctx, true, nil)
	assert.EqualError(t, err, "interrupted")
}

func TestWithAKeyItListsVideos(t *testing.T) {
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

func TestWithAWrongKeyItSaysSoInOneLine(t *testing.T) {
	srv := apivideotest.NewServer()
	defer srv.Close()
	out, err := runWith(t.Context(), true, map[string]string{"APIVIDEO_API_KEY": "made-up-key-of-nobody", "APIVIDEO_BASE_URL": srv.URL})
	require.EqualError(t, err, "apivideo: authenticate: 401 Unauthorized: The API key is invalid. at "+srv.URL+"; sandbox and production have separate keys")
	assert.Empty(t, out)
}

func TestWithoutANetworkItSaysSoInOneLine(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	_, err := runWith(t.Context(), true, map[string]string{"APIVIDEO_API_KEY": "made-up-key", "APIVIDEO_BASE_URL": gone.URL})
	require.ErrorContains(t, err, "connection refused")
	assert.NotContains(t, err.Error(), "\n")
}

func TestAnAPIThatFailsIsOneLine(t *testing.T) {
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
