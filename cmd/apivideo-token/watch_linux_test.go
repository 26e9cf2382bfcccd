package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// entry is a line of the audit file. The test has its own type, since others
// read the file too.
type entry struct {
	Time                         time.Time
	Client, Method, Path, Reason string
	Status                       int
	Allowed                      bool
	BytesIn                      int     `json:"bytes_in"`
	BytesOut                     int     `json:"bytes_out"`
	Duration                     float64 `json:"duration_ms"`
}

func entries(t *testing.T, file string) (all []entry) {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		var e entry
		require.NoError(t, json.Unmarshal([]byte(line), &e), line)
		all = append(all, e)
	}
	return all
}

// Promise: `-audit` writes a line of JSON for each request, without secrets.
func TestAuditHasEachRequest(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.srv.HandleFunc("POST /videos", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	file := filepath.Join(t.TempDir(), "audit")
	got := u.runScript(`call '/videos?title=made-up-title' -H 'Content-Type: application/json' -d 12345
		call /videos/$APIVIDEO_API_KEY -X DELETE || true
		APIVIDEO_API_KEY=another call /videos -X DELETE || true`, "-audit", file, "-allow", "POST /videos")
	require.Equal(t, 0, got.status, got.stderr)
	all := entries(t, file)
	require.Len(t, all, 3)
	for i, want := range []entry{
		{Method: "POST", Path: "/videos", Status: 200, Allowed: true, BytesIn: 5, BytesOut: 5},
		{Method: "DELETE", Path: "/videos/***", Status: 403, Reason: "not-allowed"},
		{Method: "DELETE", Path: "/videos", Status: 401, Reason: "authentication-invalid-api-key"},
	} {
		at := all[i]
		assert.WithinDuration(t, time.Now(), at.Time, patience)
		assert.Regexp(t, `^127\.0\.0\.1:\d+$`, at.Client)
		want.Time, want.Client, want.Duration = at.Time, at.Client, at.Duration
		if !want.Allowed {
			want.BytesOut = at.BytesOut
		}
		assert.Equal(t, want, at)
	}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "made-up-title")
	for _, secret := range u.secrets() {
		assert.NotContains(t, string(text), secret)
	}
	u.failure(78, "run", "-audit", t.TempDir(), "--", "true")
}

// The disk of serve is full, and is emptied by another program.
//
// Promise: A full disk loses lines of `-audit`, and says so; requests are served.
func TestAuditFullDiskLosesLinesOnly(t *testing.T) {
	t.Parallel()
	u := newOwner(t)
	disk := folder(t, ownerID)
	mounted := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64k,mode=0777") == nil // for root, if the container lets it
	if mounted {
		t.Cleanup(func() { syscall.Unmount(disk, syscall.MNT_DETACH) })
	}
	file := filepath.Join(disk, "audit")
	s := u.serve("-audit", file)
	if mounted {
		place(t, ownerID, filepath.Join(disk, "waste"), strings.Repeat("x", 60<<10), 0o600)
	} else { // a file that cannot be made again loses lines, too
		require.NoError(t, os.RemoveAll(disk))
	}
	for lost := 0; !strings.Contains(s.log(), "lines are lost"); lost++ {
		require.Less(t, lost, 2000)
		status, _ := s.get("/videos", s.secret)
		require.Equal(t, 200, status)
	}
	if mounted {
		require.NoError(t, os.Remove(filepath.Join(disk, "waste")))
	} else {
		require.NoError(t, os.Mkdir(disk, 0o777))
		require.NoError(t, os.Chmod(disk, 0o777))
	}
	require.Eventually(t, func() bool {
		s.get("/livez", "")
		return strings.Contains(s.log(), "can be written again; lost lines: ")
	}, patience, 20*time.Millisecond)
	assert.Equal(t, 1, strings.Count(s.stop(), "lines are lost"))
	for _, e := range entries(t, file) {
		assert.Equal(t, 200, e.Status, "each line is whole")
	}
}

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

// Promise: `ready` and `GET /readyz` say whether the API would serve a request now, without the secret.
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
	calls := u.srv.Counters().AuthCalls
	for range 10 {
		assert.Regexp(t, `^apivideo-token: not ready: authenticate: 503`, stranger.failure(75, "ready", "-listen", socket))
	}
	assert.LessOrEqual(t, u.srv.Counters().AuthCalls-calls, 12, "the pauses after failures hold: 3, then 1 for each that doubles")
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
