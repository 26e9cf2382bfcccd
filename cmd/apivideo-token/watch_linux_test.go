package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Promise: `serve` logs its start, failures once a minute and recovery, without a flag.
func TestServeLogsWithoutAFlag(t *testing.T) {
	t.Parallel()
	u := newOwner(t)
	u.fail(apivideotest.Status(http.StatusServiceUnavailable))
	s := u.serve()
	for range 5 {
		status, _ := s.get("/videos", s.secret)
		assert.Equal(t, 502, status)
	}
	s.logs(`msg="api.video: no new access token"`)
	u.srv.FailFunc(nil)
	require.Eventually(t, func() bool { status, _ := s.get("/videos", s.secret); return status == 200 }, patience, 100*time.Millisecond)
	s.logs(`msg="api.video: new access token"`)
	log := s.stop()
	for _, line := range []string{
		`level=INFO msg=serving address=` + s.base + ` environment=` + u.env[baseURLVariable],
		`level=WARN msg="api.video: no new access token"`,
		`level=WARN msg="the API gave no answer" error="authenticate: 503 Service Unavailable`,
		`level=INFO msg="api.video: new access token"`,
		`level=INFO msg="the API answers again"`,
		`level=INFO msg=ending signal=terminated`,
	} {
		assert.Equal(t, 1, strings.Count(log, line), "%s\n%s", line, log)
	}
	assert.NotContains(t, log, "level=DEBUG")
	for _, secret := range append(u.secrets(), s.secret) {
		assert.NotContains(t, log, secret)
	}
}

func TestServeLogsRejectedKey(t *testing.T) {
	t.Parallel()
	u := newOwner(t)
	u.env[keyVariable] = "made-up-key-of-nobody"
	s := u.serve()
	status, _ := s.get("/readyz", "")
	assert.Equal(t, 503, status)
	assert.Contains(t, s.stop(), `level=ERROR msg="api.video: no new access token"`)
}

// Promise: `ready` and `GET /readyz` say, without the secret, whether there is a token that the API takes, as far as is known.
func TestReadyTellsWhetherItWouldServe(t *testing.T) {
	t.Parallel()
	u := newOwner(t)
	s := u.serve()
	at := strings.TrimPrefix(s.base, "http://")
	stranger := newUser(t) // without a key
	delete(stranger.env, keyVariable)
	delete(stranger.env, baseURLVariable)
	stranger.env["HTTP_PROXY"] = "http://127.0.0.1:1"
	for range 3 {
		assert.Empty(t, stranger.ok("ready", "-listen", at))
	}
	assert.Equal(t, 1, u.srv.Counters().AuthCalls)
	s.stop()
	assert.Equal(t, "apivideo-token: no answer at "+at+": connect: connection refused", stranger.failure(75, "ready", "-listen", at))

	u.fail(apivideotest.Status(http.StatusServiceUnavailable))
	socket := "unix:" + filepath.Join(u.env["HOME"], "sock")
	s = u.serve("-listen", socket, "-no-cache")
	calls, start := u.srv.Counters().AuthCalls, time.Now()
	for range 10 {
		assert.Regexp(t, `^apivideo-token: not ready: authenticate: 503`, stranger.failure(75, "ready", "-listen", socket))
	}
	most := 3 * (1 + doublings(500*time.Millisecond, time.Since(start)))
	assert.LessOrEqual(t, u.srv.Counters().AuthCalls-calls, most, "the pauses after failures hold")
	s.stop()
	stopped := u.serve()
	require.NoError(t, stopped.cmd.Process.Signal(syscall.SIGSTOP))
	at = strings.TrimPrefix(stopped.base, "http://")
	assert.Equal(t, "apivideo-token: no answer at "+at+" within 300ms", stranger.failure(75, "ready", "-timeout", "300ms", "-listen", at))
	require.NoError(t, stopped.cmd.Process.Signal(syscall.SIGCONT))
	stopped.stop()
}

// The program asks the proxy of run, whatever the user's own proxy is. Curl and
// Go prefer different spellings.
//
// Promise: The user's `NO_PROXY` survives `run` in both spellings.
func TestRunReachedWithAnyNoProxy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ before, after string }{
		{"HTTP_PROXY=P", "NO_PROXY=127.0.0.1 no_proxy=127.0.0.1"},
		{"http_proxy=P", "NO_PROXY=127.0.0.1 no_proxy=127.0.0.1"},
		{"ALL_PROXY=P", "NO_PROXY=127.0.0.1 no_proxy=127.0.0.1"},
		{"http_proxy=P NO_PROXY=*", "NO_PROXY=* no_proxy="},
		{"http_proxy=P no_proxy=*", "NO_PROXY= no_proxy=*"},
		{"http_proxy=P NO_PROXY= no_proxy=", "NO_PROXY=127.0.0.1 no_proxy=127.0.0.1"},
		{"http_proxy=P NO_PROXY=a.example no_proxy=b.example", "NO_PROXY=a.example,127.0.0.1 no_proxy=b.example,127.0.0.1"},
		{"http_proxy=P NO_PROXY=a.example", "NO_PROXY=a.example,127.0.0.1 no_proxy=a.example,127.0.0.1"},
		{"http_proxy=P no_proxy=b.example", "NO_PROXY=b.example,127.0.0.1 no_proxy=b.example,127.0.0.1"},
		{"http_proxy=P NO_PROXY= no_proxy=b.example", "NO_PROXY=b.example,127.0.0.1 no_proxy=b.example,127.0.0.1"},
		{"NO_PROXY=a.example", "NO_PROXY=a.example no_proxy="},
		{"HTTPS_PROXY=P", "NO_PROXY= no_proxy="},
	} {
		u := newUser(t)
		for _, pair := range strings.Fields(c.before) {
			name, value, _ := strings.Cut(pair, "=")
			u.env[name] = strings.Replace(value, "P", "http://127.0.0.1:1", 1)
		}
		got := u.runScript(`echo "NO_PROXY=$NO_PROXY no_proxy=$no_proxy"; call /videos >/dev/null`)
		assert.Equal(t, result{0, c.after + "\n", ""}, got, c.before)
	}
}

// Promise: A program that failed and made no request through `run` gets a hint.
func TestRunHintsOnlyAtProgramThatWentPast(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	const hint = "apivideo-token: hint: the program made no request through run"
	assert.Contains(t, u.runScript("exit 3").stderr, hint)
	assert.Contains(t, u.runScript("exit 3", "-intercept").stderr, hint)
	assert.NotContains(t, u.runScript("exit 0").stderr, hint)
	assert.NotContains(t, u.runScript("call /videos; exit 3").stderr, hint)
	assert.NotContains(t, u.runScript("APIVIDEO_API_KEY=made-up-key-of-its-own call /videos; exit 3").stderr, hint, "it was told")
	assert.NotContains(t, u.runScript("kill -TERM $$").stderr, hint)
	assert.NotContains(t, fmt.Sprint(u.run("run", "--", "no-such-program")), hint)
}
