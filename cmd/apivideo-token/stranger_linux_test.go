package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// serving is a running serve.
type serving struct {
	*user
	cmd    *exec.Cmd
	base   string // its URL
	secret string
	file   string // what it writes to standard error
}

// serve starts serve as the owner, with a secret file in his home.
func (u *user) serve(args ...string) *serving {
	u.t.Helper()
	file := filepath.Join(u.env["HOME"], "secret")
	s := &serving{user: u, secret: "made-up-secret-of-the-test", file: filepath.Join(u.t.TempDir(), "log")}
	if _, err := os.Stat(file); err != nil {
		place(u.t, ownerID, file, s.secret+"\n", 0o600)
	}
	s.cmd = by(ownerID, u.command(append([]string{"serve", "-listen", "127.0.0.1:0", "-secret-file", file}, args...)...))
	log, err := os.Create(s.file)
	require.NoError(u.t, err)
	defer log.Close()
	s.cmd.Dir, s.cmd.Stderr = "/", log
	line, _ := u.start(s.cmd)
	s.base = strings.TrimSpace(line)
	return s
}

// stop ends serve and returns its log.
func (s *serving) stop() string {
	s.t.Helper()
	require.NoError(s.t, s.cmd.Process.Signal(syscall.SIGTERM))
	assert.NoError(s.t, s.cmd.Wait())
	return s.log()
}

func (s *serving) log() string {
	s.t.Helper()
	text, err := os.ReadFile(s.file)
	require.NoError(s.t, err)
	return string(text)
}

// logs waits for a text in the log.
func (s *serving) logs(text string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return strings.Contains(s.log(), text) }, patience, 20*time.Millisecond)
}

// get makes a request with the secret, or with another one.
func (s *serving) get(path, secret string) (status int, body string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.base+path, nil)
	require.NoError(s.t, err)
	if secret != "" {
		req.SetBasicAuth(secret, "")
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(s.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	return resp.StatusCode, string(text)
}

// The program is of another user than serve: it cannot read the key file either.
//
// Promise: A program of another user than `serve` can read neither the key file nor the cache, and can only do what `-allow` names.
func TestServeProgramOfAnotherUser(t *testing.T) {
	t.Parallel()
	u := newOwner(t)
	key := place(t, ownerID, filepath.Join(u.env["HOME"], "key"), u.key(), 0o600)
	delete(u.env, keyVariable)
	u.env[keyFileVariable] = key
	s := u.serve("-allow", "GET /videos")
	path, variable := attacker(t, strconv.Itoa(s.cmd.Process.Pid), u.key())
	script := by(strangerID, exec.CommandContext(t.Context(), "bash", "-c", `
		"$0"
		curl -sS -o /dev/null -w '%{http_code}\n' -u "$APIVIDEO_API_KEY:" "$APIVIDEO_BASE_URL/videos"
		curl -sS -o /dev/null -w '%{http_code}\n' -u "$APIVIDEO_API_KEY:" -X DELETE "$APIVIDEO_BASE_URL/videos/vi1"
		curl -sS -o /dev/null -w '%{http_code}\n' -u made-up-secret-of-nobody: "$APIVIDEO_BASE_URL/videos"`, path))
	script.Env = []string{"PATH=/usr/bin:/bin", variable, "APIVIDEO_BASE_URL=" + s.base, "APIVIDEO_API_KEY=" + s.secret}
	out, err := script.Output()
	require.NoError(t, err)
	assert.Equal(t, "done\n200\n403\n401\n", string(out))
	if isRoot() { // there is another user
		for _, attack := range []string{
			"cat " + key, "cat " + filepath.Join(u.env["HOME"], "secret"), "ls " + u.env["XDG_CACHE_HOME"],
			fmt.Sprintf("kill -KILL %d", s.cmd.Process.Pid), fmt.Sprintf("kill -QUIT %d", s.cmd.Process.Pid),
		} {
			assert.Error(t, by(strangerID, exec.CommandContext(t.Context(), "sh", "-c", attack)).Run(), attack)
		}
	}
	s.stop()
}

func TestServeSocketIsForItsUser(t *testing.T) {
	t.Parallel()
	u := newOwner(t)
	socket := filepath.Join(u.env["HOME"], "sock")
	s := u.serve("-listen", "unix:"+socket)
	curl := func(id int) string {
		cmd := by(id, exec.CommandContext(t.Context(), "curl", "-sS", "-u", s.secret+":", "--unix-socket", socket, "http://localhost/livez"))
		cmd.Env = []string{"PATH=/usr/bin:/bin"}
		out, _ := cmd.Output()
		return string(out)
	}
	assert.Equal(t, "ok\n", curl(ownerID))
	if isRoot() {
		assert.Empty(t, curl(strangerID))
	}
	s.stop()
}

// slowUploads are connections of a stranger with uploads that send nothing.
func slowUploads(t *testing.T, base string, n int) {
	for range n {
		conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		_, err = fmt.Fprintf(conn, "POST /upload?token=x HTTP/1.1\r\nHost: %s\r\nContent-Length: 1000000\r\n\r\nx", strings.TrimPrefix(base, "http://"))
		require.NoError(t, err)
	}
}

// Without the limits, the uploads hold both for longer than a minute.
//
// Promise: `run` ends 3 seconds after its program at the latest, `serve` 10 seconds after SIGTERM, whatever strangers do.
func TestStrangersDelayNoEnd(t *testing.T) {
	t.Parallel()
	u := newOwner(t)
	dir := t.TempDir()
	cmd := u.script(`echo "$APIVIDEO_BASE_URL"; until [ -e ` + dir + `/go ]; do sleep 0.01; done`)
	line, _ := u.start(cmd)
	slowUploads(t, strings.TrimSpace(line), 5)
	arrived := func() bool { return u.srv.Counters().Unauthorized >= 5 } // their upload token is not valid
	require.Eventually(t, arrived, patience, 5*time.Millisecond)
	start := time.Now()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	require.NoError(t, cmd.Wait())
	t.Logf("run ends after %v", time.Since(start))
	assert.Less(t, time.Since(start), 30*time.Second, "3 s, on a machine that is not busy")

	s := u.serve()
	slowUploads(t, s.base, 5)
	start = time.Now()
	s.stop()
	t.Logf("serve ends after %v", time.Since(start))
	assert.Less(t, time.Since(start), 40*time.Second, "10 s, on a machine that is not busy")
}

// Promise: A crowd of connections does not keep the owner of the proxy out.
func TestCrowdOfStrangersKeepsNoOwnerOut(t *testing.T) {
	t.Parallel()
	u := newOwner(t)
	s := u.serve()
	for range 600 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.base, "http://"))
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
	}
	status, _ := s.get("/videos", s.secret)
	assert.Equal(t, 200, status)
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	if isRoot() {
		require.NoError(t, err)
		assert.Less(t, len(open), 300)
	}
	s.stop()
}

// A stranger has the other address of localhost.
//
// Promise: `-listen localhost:PORT` holds both loopback addresses, or fails.
func TestServeLocalhostHoldsBothAddresses(t *testing.T) {
	t.Parallel()
	u := newOwner(t)
	s := u.serve("-listen", "localhost:0")
	assert.Regexp(t, `^http://127\.0\.0\.1:\d+$`, s.base)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.base, "http://"))
	require.NoError(t, err)
	_, err = net.Listen("tcp", "[::1]:"+port)
	assert.ErrorIs(t, err, syscall.EADDRINUSE)
	s.stop()
	stranger, err := net.Listen("tcp", "[::1]:0")
	require.NoError(t, err)
	defer stranger.Close()
	at := fmt.Sprintf("localhost:%d", stranger.Addr().(*net.TCPAddr).Port)
	assert.Contains(t, u.failure(78, "serve", "-listen", at, "-secret-file", filepath.Join(t.TempDir(), "secret")), "address already in use")
}

// Promise: A changed secret file counts within seconds; an empty or broken one changes nothing, and is logged.
func TestServeFollowsSecretFile(t *testing.T) {
	t.Parallel()
	u := newOwner(t)
	s := u.serve()
	file := filepath.Join(u.env["HOME"], "secret")
	works := func(secret string) bool { status, _ := s.get("/videos", secret); return status == 200 }
	require.True(t, works(s.secret))
	const next = "the-next-made-up-secret"
	place(t, ownerID, file, "", 0o600) // as an editor does on its way
	s.logs("has less than 16 characters")
	assert.True(t, works(s.secret))
	place(t, ownerID, file, next+"\n", 0o600)
	require.Eventually(t, func() bool { return works(next) }, patience, 100*time.Millisecond)
	assert.False(t, works(s.secret))
	require.NoError(t, os.Remove(file))
	s.logs("no such file")
	assert.True(t, works(next))
	require.NoError(t, syscall.Mkfifo(file, 0o600))
	s.logs("is not a regular file any more")
	require.NoError(t, os.Remove(file))
	place(t, ownerID, file, next+"\n", 0o600)
	s.logs("can be used again")
	log := s.stop()
	for _, line := range []string{
		`level=ERROR msg="the secret stays as it is" error="the file of -secret-file has less than 16 characters; delete it to get a new one"`,
		`level=INFO msg="new secret; the tokens of the old one are invalid"`,
		`level=ERROR msg="the secret stays as it is" error="the file of -secret-file cannot be read: no such file or directory"`,
	} {
		assert.Equal(t, 1, strings.Count(log, line), "%s\n%s", line, log)
	}
	assert.NotContains(t, log, s.secret)
	assert.NotContains(t, log, next)
}
