package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/internal/childtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// patience is longer than anything takes, even on a machine that is busy.
const patience = 5 * time.Minute

// binary is the program as it is released, built once for all tests.
var binary string

func TestMain(m *testing.M) { os.Exit(build(m)) }

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "apivideo-token")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // for tests with other users
		panic(err)
	}
	if binary, err = childtest.Build(dir, "."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// user is somebody with a home folder, and an account of a server.
type user struct {
	t   *testing.T
	srv *apivideotest.Server
	env map[string]string

	input string // on standard input

	mu   sync.Mutex   // guards what follows
	date time.Time    // the server's Date header; zero: the true one
	seen bytes.Buffer // what the server answered
}

func newUser(t *testing.T) *user {
	u := &user{t: t, srv: apivideotest.NewServer()}
	t.Cleanup(u.srv.Close)
	front := httptest.NewServer(http.HandlerFunc(u.record))
	t.Cleanup(front.Close)
	t.Cleanup(u.srv.Close) // first, so that auth calls that hang come to an end
	home := t.TempDir()
	u.env = map[string]string{
		"HOME": home, "XDG_CACHE_HOME": filepath.Join(home, "cache"), "LocalAppData": filepath.Join(home, "cache"),
		keyVariable: u.key(), baseURLVariable: front.URL,
	}
	return u
}

// record serves a request and keeps the answer.
func (u *user) record(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	if !u.date.IsZero() {
		w.Header().Set("Date", u.date.Format(http.TimeFormat))
	}
	u.mu.Unlock()
	u.srv.ServeHTTP(recorder{w, u}, r)
}

// setDate sets the server's Date header.
func (u *user) setDate(date time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.date = date.UTC()
}

type recorder struct {
	http.ResponseWriter
	u *user
}

func (r recorder) Write(p []byte) (int, error) {
	r.u.mu.Lock()
	defer r.u.mu.Unlock()
	r.u.seen.Write(p)
	return r.ResponseWriter.Write(p)
}

func (u *user) key() string { return u.srv.Config().APIKey }

var tokenInAnswer = regexp.MustCompile(`"(?:access|refresh)_token": ?"([^"]+)"`)

// secrets are the API key and every token that the server issued.
func (u *user) secrets() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	secrets := []string{u.key()}
	for _, found := range tokenInAnswer.FindAllStringSubmatch(u.seen.String(), -1) {
		secrets = append(secrets, found[1])
	}
	return secrets
}

// command returns the program in the user's environment, and in no other.
func (u *user) command(args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	u.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = u.t.TempDir()
	if u.input != "" {
		cmd.Stdin = strings.NewReader(u.input)
	}
	cmd.Env = []string{"SystemRoot=" + os.Getenv("SystemRoot")}
	for name, value := range u.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// result is the result of one run of the program.
type result struct {
	status         int
	stdout, stderr string
}

func (u *user) run(args ...string) result {
	var out, failure bytes.Buffer
	cmd := u.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &failure
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return result{-1, "", err.Error()}
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), failure.String()}
}

// ok runs the program, which must succeed, and returns what it printed.
func (u *user) ok(args ...string) string {
	u.t.Helper()
	r := u.run(args...)
	require.Equal(u.t, result{0, r.stdout, ""}, r)
	return r.stdout
}

// token runs the program and returns its token, which the server must accept.
func (u *user) token(args ...string) string {
	u.t.Helper()
	line := u.ok(args...)
	token, ended := strings.CutSuffix(line, "\n")
	require.True(u.t, ended)
	require.True(u.t, u.srv.Valid(token), "the server does not accept %q", token)
	return token
}

// failure runs the program, which must fail with this status and a line that
// has no secret, and returns the line.
func (u *user) failure(status int, args ...string) string {
	u.t.Helper()
	r := u.run(args...)
	assert.Equal(u.t, status, r.status)
	assert.Empty(u.t, r.stdout)
	u.checkLine(r.stderr)
	return strings.TrimSuffix(r.stderr, "\n")
}

func (u *user) checkLine(stderr string) {
	u.t.Helper()
	assert.Regexp(u.t, `^apivideo-token: [^\n]+\n$`, stderr)
	for _, noise := range []string{"Config.", "goroutine", "apivideo: ", ".go:"} {
		assert.NotContains(u.t, stderr, noise)
	}
	for _, secret := range u.secrets() {
		assert.NotContains(u.t, stderr, secret)
	}
}

// files returns the content of all files in the user's home, by name.
func (u *user) files() map[string]string {
	u.t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(u.env["HOME"], func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[path] = string(data)
		if info, statErr := d.Info(); statErr == nil && runtime.GOOS != "windows" {
			assert.Equal(u.t, fs.FileMode(0o600), info.Mode().Perm(), path)
		}
		return err
	})
	require.NoError(u.t, err)
	return files
}

// writeExecutable writes a script.
func writeExecutable(path, script string) error { return os.WriteFile(path, []byte(script), 0o755) }
