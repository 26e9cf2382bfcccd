package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// script runs a shell script behind the proxy, with flags for run. In it,
// call is curl with the secret, for a path of the proxy.
func (u *user) script(text string, flags ...string) *exec.Cmd {
	u.env["PATH"] = "/usr/local/bin:/usr/bin:/bin"
	const call = `call() { path=$1; shift; curl -sS --fail-with-body -u "$APIVIDEO_API_KEY:" "$@" "$APIVIDEO_BASE_URL$path"; }; `
	args := append([]string{"run"}, flags...)
	cmd := u.command(append(args, "--", "bash", "-c", "set -e -o pipefail; "+call+text)...)
	// Without a terminal, so that signals of the tests do not look typed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// runScript is script to its end.
func (u *user) runScript(text string, flags ...string) result {
	var out, failure bytes.Buffer
	cmd := u.script(text, flags...)
	cmd.Stdout, cmd.Stderr = &out, &failure
	_ = cmd.Run() // the status is in the result
	return result{cmd.ProcessState.ExitCode(), out.String(), failure.String()}
}

func TestRunFiftyRequestsMakeOneAuthCall(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.srv.HandleFunc("GET /videos", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "served\n") })
	got := u.runScript(`for i in $(seq 50); do call /videos & done; wait`)
	assert.Equal(t, result{0, strings.Repeat("served\n", 50), ""}, got)
	again := u.runScript(`call /videos`)
	assert.Equal(t, result{0, "served\n", ""}, again)
	assert.Equal(t, 1, u.srv.Counters().AuthCalls, "the next run finds the token in the cache")
}

func TestRunHidesKeyAndToken(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.srv.HandleFunc("GET /videos", func(http.ResponseWriter, *http.Request) {})
	key := u.key()
	u.keyFile(key)
	keyFile := u.env[keyFileVariable]
	u.env["HTTP_PROXY"], u.env["NO_PROXY"] = "http://127.0.0.1:1", "example.com"
	got := u.runScript(`env; call /videos -i; call /auth/api-key -d "{\"apiKey\":\"$APIVIDEO_API_KEY\"}"`)
	require.Equal(t, 0, got.status, got.stderr)
	assert.Regexp(t, `(?m)^APIVIDEO_API_KEY=[0-9a-f]{64}$`, got.stdout)
	assert.Regexp(t, `(?m)^APIVIDEO_BASE_URL=http://127\.0\.0\.1:\d+$`, got.stdout)
	assert.Contains(t, got.stdout, "NO_PROXY=example.com,127.0.0.1\n")
	assert.NotContains(t, got.stdout, keyFileVariable)
	assert.NotContains(t, got.stdout, keyFile)
	secrets := u.secrets()
	assert.Len(t, secrets, 3)
	for _, secret := range secrets {
		assert.NotContains(t, got.stdout, secret)
	}
}

func TestRunRefusesWhatIsNotAllowed(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.srv.HandleFunc("/", func(_ http.ResponseWriter, r *http.Request) { assert.Equal(t, "GET", r.Method) })
	got := u.runScript(`call /videos
		call /videos/vi1 -X DELETE || echo " $?"
		call /videos -H 'Host: evil.example' || echo " $?"
		APIVIDEO_API_KEY=another call /videos || echo " $?"
		call /videos -H 'Origin: http://evil.example' || echo " $?"`, "-allow", "GET /videos")
	assert.Equal(t, 0, got.status)
	assert.Regexp(t, `(?s)^.*"title":"No -allow pattern matches DELETE /videos/vi1\.","status":403.* 22\n`+
		`.*"status":421.* 22\n.*"title":"The API key is invalid\.","status":401,"detail":"This is apivideo-token, .* 22\n.*"status":403.* 22\n$`, got.stdout)
	assert.Equal(t, 1, u.srv.Counters().Authorized)
}

func TestRunServiceDown(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.env[baseURLVariable] = "http://127.0.0.1:1"
	got := u.runScript(`call /videos`)
	assert.Equal(t, 22, got.status, "curl's, for the 502")
	assert.Contains(t, got.stdout, `"status":502`)
	assert.Contains(t, got.stdout, "connection refused")
	assert.NotContains(t, got.stdout, u.key())
}

func TestRunEndsWithStatusOfProgram(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	const hint = "apivideo-token: hint: the program made no request through run; a client that uses its default URL goes past it; " +
		"set its base URL to APIVIDEO_BASE_URL, or try run -intercept\n"
	for script, want := range map[string]result{
		"true":            {0, "", ""},
		"exit 7":          {7, "", hint},
		"kill -KILL $$":   {137, "", ""},
		"kill -TERM $$":   {143, "", ""},
		"echo out; false": {1, "out\n", hint},
		"echo err >&2":    {0, "", "err\n"},
	} {
		assert.Equal(t, want, u.runScript(script), script)
	}
	assert.Equal(t, "apivideo-token: the program is not found", u.failure(127, "run", "no-such-program"))
	assert.Equal(t, "apivideo-token: the program is not found", u.failure(127, "run", "/no/such/program"))
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	assert.Equal(t, "apivideo-token: the program cannot be executed: permission denied", u.failure(126, "run", file))
	require.NoError(t, os.WriteFile(file, []byte("no program"), 0o700))
	require.NoError(t, os.Chmod(file, 0o700))
	assert.Equal(t, "apivideo-token: the program cannot be executed: exec format error", u.failure(126, "run", file))
	marker := filepath.Join(t.TempDir(), "ran")
	delete(u.env, keyVariable)
	u.failure(78, "run", "--", "touch", marker)
	assert.NoFileExists(t, marker)
	assert.Zero(t, u.srv.Counters().AuthCalls)
}

// start starts cmd and returns when it has printed a line. What follows the
// line comes over rest when it is whole.
func (u *user) start(cmd *exec.Cmd) (line string, rest <-chan string) {
	u.t.Helper()
	out, err := cmd.StdoutPipe()
	require.NoError(u.t, err)
	require.NoError(u.t, cmd.Start())
	u.t.Cleanup(func() { cmd.Process.Kill() })
	for b := make([]byte, 1); !strings.HasSuffix(line, "\n"); line += string(b) {
		_, err := io.ReadFull(out, b)
		require.NoError(u.t, err, "after %q", line)
	}
	whole := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(out) // until Wait closes it, if nobody else does
		whole <- string(text)
	}()
	return line, whole
}

func TestRunForwardsSignals(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1} {
		if signal.Ignored(s) {
			continue // as under nohup, which a shell cannot undo
		}
		u := newUser(t)
		cmd := u.script(fmt.Sprintf(`trap 'kill $child; exit 5' %d; sleep 600 >&- & child=$!; echo ready; wait`, s))
		u.start(cmd)
		require.NoError(t, cmd.Process.Signal(s))
		require.Error(t, cmd.Wait())
		assert.Equal(t, 5, cmd.ProcessState.ExitCode(), s)
	}
}

// The program ends while a request that it left behind is in flight.
func TestRunLetsRequestsFinish(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	u.srv.HandleFunc("GET /slow", func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		io.WriteString(w, "whole")
	})
	var once sync.Once
	t.Cleanup(func() { once.Do(func() { close(release) }) })
	dir := t.TempDir()
	cmd := u.script(`call /slow -o ` + dir + `/out >&- 2>&- & echo $$; until [ -e ` + dir + `/go ]; do sleep 0.01; done`)
	line, _ := u.start(cmd)
	program, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err)
	<-arrived
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	require.Eventually(t, func() bool { return syscall.Kill(program, 0) != nil }, patience, 5*time.Millisecond)
	once.Do(func() { close(release) })
	require.NoError(t, cmd.Wait())
	require.Eventually(t, func() bool {
		out, err := os.ReadFile(filepath.Join(dir, "out"))
		return err == nil && string(out) == "whole"
	}, patience, 5*time.Millisecond)
}

func TestRunPassesStandardInput(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.input = "a line"
	assert.Equal(t, result{0, "a line", ""}, u.runScript("cat"))
	assert.Equal(t, apivideotest.Counters{}, u.srv.Counters(), "a program that makes no request needs no token")
}
