package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

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

// rehearse plays the demo in virtual time, with both hosts in memory. It
// interrupts the demo when it prints interruptAt, unless that is empty.
func rehearse(t *testing.T, interruptAt string) (out string, err error) {
	var w trigger
	synctest.Test(t, func(t *testing.T) {
		srv := apivideotest.NewUnstartedServer()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w = trigger{text: interruptAt, call: cancel}
		ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: hosts{srv}})
		err = play(ctx, &screen{Writer: &w}, srv, "https://other.invalid")
	})
	return w.out.String(), err
}

// trigger is a writer that calls a function when a text is written.
type trigger struct {
	out  bytes.Buffer
	text string
	call func()
}

func (w *trigger) Write(p []byte) (int, error) {
	w.out.Write(p)
	if w.text != "" && strings.HasSuffix(w.out.String(), w.text) {
		w.call()
	}
	return len(p), nil
}

// hosts reaches the server in memory, and another host for all other names.
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
	out, err := rehearse(t, "")
	require.NoError(t, err)
	for _, want := range []string{
		"✓ requests served: 50, auth calls: 1, slowest request: 300ms\n",
		"·◆\n",
		"waiting for the renewal: 0, slowest request: 0s\n",
		"✓ 401s: 1, renewals: 1; sent again, and served after 300ms\n",
		"✓ rejected refreshes: 1, logins with the API key: 1, took 600ms\n",
		"✓ tokens that the other host received: 0\n",
		"(0 failed)",
		"auth calls        5   (2 with the API key, 2 refreshes, 1 rejected)",
	} {
		assert.Contains(t, out, want)
	}
	assert.NotContains(t, out, "✗")
	assert.NotContains(t, out, "\x1b", "color is for terminals")
	for line := range strings.Lines(out) {
		assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), 80, line)
	}
}

func TestDemoInterruptedSceneGetsNoTick(t *testing.T) {
	for interruptAt, finished := range map[string]int{
		"no token yet\n": 0, "is replaced\n": 1, "···": 1, "its expiry\n": 2, "it invalid\n": 3, "no token\n": 4,
	} {
		out, err := rehearse(t, interruptAt)
		assert.ErrorIs(t, err, errInterrupted, interruptAt)
		assert.Equal(t, finished, strings.Count(out, "✓"), out)
		assert.NotContains(t, out, "✗")
	}
}

func TestDemoBeginsWithItsTitle(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out, err := runWith(ctx, true, nil)
	assert.ErrorIs(t, err, errInterrupted)
	assert.True(t, strings.HasPrefix(out, "\x1b[1mapivideo: "), out)
}

func TestDemoMarksWrap(t *testing.T) {
	var b strings.Builder
	d := &demo{screen: &screen{&b, false}}
	for n := range marksPerLine + 2 {
		d.mark(n, n == marksPerLine+1)
	}
	assert.Equal(t, "   "+strings.Repeat("·", marksPerLine)+"\n   ·◆", b.String())
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
	assert.Regexp(t, regexp.MustCompile(`(?s)^Logging in at http://127.0.0.1:\d+\nThe first 2 videos:\n  vi1 +First\n  vi2 +Sec\[31mond\nThe token expires at \d\d:\d\d:\d\d, in (1h0m0s|59m\d+s)\.\n$`), out)
	assert.NotContains(t, out, env["APIVIDEO_API_KEY"])
}

// Promise: The demo uses production unless told otherwise.
func TestListVideosOfProduction(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // so that nothing is sent
	out, err := runWith(ctx, true, map[string]string{"APIVIDEO_API_KEY": "made-up-key"})
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, "Logging in at https://ws.api.video\n", out)
}

func TestListVideosWrongKey(t *testing.T) {
	srv := apivideotest.NewServer()
	defer srv.Close()
	out, err := runWith(t.Context(), true, map[string]string{"APIVIDEO_API_KEY": "made-up-key-of-nobody", "APIVIDEO_BASE_URL": srv.URL})
	require.EqualError(t, err, "apivideo: authenticate: 401 Unauthorized: The API key is invalid. at "+srv.URL+"; sandbox and production have separate keys")
	assert.Equal(t, "Logging in at "+srv.URL+"\n", out)
}

func TestListVideosNoNetwork(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	_, err := runWith(t.Context(), true, map[string]string{"APIVIDEO_API_KEY": "made-up-key", "APIVIDEO_BASE_URL": gone.URL})
	require.ErrorContains(t, err, "dial tcp ")
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
