package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// curl makes a request with the secret of a file and returns what it prints.
func (u *user) curl(secretFile string, args ...string) string {
	u.t.Helper()
	secret, err := os.ReadFile(secretFile)
	require.NoError(u.t, err)
	args = append([]string{"-sS", "-u", strings.TrimSpace(string(secret)) + ":"}, args...)
	out, err := exec.CommandContext(u.t.Context(), "curl", args...).Output()
	require.NoError(u.t, err)
	return string(out)
}

func TestServeUntilSIGTERM(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	u.srv.HandleFunc("GET /videos", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "served") })
	u.srv.HandleFunc("GET /slow", func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		io.WriteString(w, "whole")
	})
	secret := filepath.Join(t.TempDir(), "secret")
	cmd := u.command("serve", "-listen", "127.0.0.1:0", "-secret-file", secret)
	line, _ := u.start(cmd)
	base := strings.TrimSpace(line)
	assert.Regexp(t, `^http://127\.0\.0\.1:\d+$`, base)
	info, err := os.Stat(secret)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "made with a new secret")
	assert.Equal(t, "served", u.curl(secret, base+"/videos"))

	slow := make(chan string)
	go func() { slow <- u.curl(secret, base+"/slow") }()
	<-arrived
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
		if err == nil {
			conn.Close()
		}
		return err != nil
	}, patience, 5e6, "it listens no more")
	close(release)
	assert.Equal(t, "whole", <-slow)
	assert.NoError(t, cmd.Wait())
}

// The test has no terminal.
//
// Promise: SIGHUP without a terminal does not end serve.
func TestServeGoesOnAfterSIGHUP(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.srv.HandleFunc("GET /videos", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "served") })
	secret := filepath.Join(t.TempDir(), "secret")
	cmd := u.command("serve", "-listen", "127.0.0.1:0", "-secret-file", secret)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	line, _ := u.start(cmd)
	require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
	assert.Equal(t, "served", u.curl(secret, strings.TrimSpace(line)+"/videos"))
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	assert.NoError(t, cmd.Wait())
}

func TestServeSecondSignalBreaksOff(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	arrived := make(chan struct{})
	u.srv.HandleFunc("GET /slow", func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	secret := filepath.Join(t.TempDir(), "secret")
	cmd := u.command("serve", "-listen", "127.0.0.1:0", "-secret-file", secret)
	line, _ := u.start(cmd)
	content, err := os.ReadFile(secret)
	require.NoError(t, err)
	client := exec.CommandContext(t.Context(), "curl", "-sS", "-u", strings.TrimSpace(string(content))+":", strings.TrimSpace(line)+"/slow")
	require.NoError(t, client.Start())
	<-arrived
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	assert.NoError(t, cmd.Wait())
	assert.Error(t, client.Wait())
}

func TestServeUnixSocket(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.srv.HandleFunc("GET /videos", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "served") })
	dir := t.TempDir()
	secret, socket := filepath.Join(dir, "secret"), filepath.Join(dir, "socket")
	const own = "a-made-up-secret-of-my-own"
	require.NoError(t, os.WriteFile(secret, []byte(own+"\n"), 0o600))
	cmd := u.command("serve", "-listen", "unix:"+socket, "-secret-file", secret)
	line, _ := u.start(cmd)
	assert.Equal(t, "unix:"+socket+"\n", line)
	assert.Equal(t, "served", u.curl(secret, "--unix-socket", socket, "http://localhost/videos"))
	assert.Contains(t, u.curl(secret, "--unix-socket", socket, "http://evil.example/videos"), `"status":421`)
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	assert.NoError(t, cmd.Wait())
	assert.NoFileExists(t, socket)
}

// Promise: A `-secret-file` of root or the user may be read by a group of the process, and by nobody else.
func TestServeBadSettings(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	dir := t.TempDir()
	file := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), mode))
		require.NoError(t, os.Chmod(path, mode)) // whatever the umask is
		return path
	}
	const good, bad = "made-up-secret-1", "apivideo-token: the file of -secret-file "
	for _, c := range []struct{ listen, file, line string }{
		{"127.0.0.1:0", file("others", good, 0o604), bad + "can be read by others; run chmod 600"},
		{"127.0.0.1:0", file("group", good, 0o660), bad + "can be written by its group; run chmod 600"},
		{"127.0.0.1:0", file("short", "short\n", 0o600), bad + "has less than 16 characters; delete it to get a new one"},
		{"127.0.0.1:0", file("lines", good+"\n"+good, 0o600), bad + "must have one line of visible ASCII characters without a colon"},
		{"127.0.0.1:0", file("colon", good+":x", 0o600), bad + "must have one line of visible ASCII characters without a colon"},
		{"127.0.0.1:0", filepath.Join(dir, "none", "x"), bad + "cannot be made: no such file or directory"},
		{taken.Addr().String(), file("good", good, 0o600), "apivideo-token: cannot listen at " + taken.Addr().String() + ": bind: address already in use; choose another address"},
	} {
		assert.Equal(t, c.line, u.failure(78, "serve", "-listen", c.listen, "-secret-file", c.file))
	}
	u.env[keyVariable] += " "
	secret := filepath.Join(dir, "new")
	assert.Equal(t, "apivideo-token: APIVIDEO_API_KEY has spaces around it; remove them", u.failure(78, "serve", "-secret-file", secret))
	assert.NoFileExists(t, secret)
}

func TestServePortInUseMakesNoSecret(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	secret := filepath.Join(t.TempDir(), "secret")
	u.failure(78, "serve", "-listen", taken.Addr().String(), "-secret-file", secret)
	assert.NoFileExists(t, secret)
}

// An empty file would end each later start: its secret is too short.
func TestServeSecretOnAFullDiskIsRemoved(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	disk := t.TempDir()
	cmd := exec.Command("sh", "-c", `"$0" "$@" 2>&1; ls `+disk, binary, "serve", "-listen", "127.0.0.1:0", "-secret-file", disk+"/secret")
	cmd.Env = u.command().Env
	out, err := namespaces(t, cmd, "", "mount -t tmpfs -o size=64k none "+disk+"; head -c 64k /dev/zero >"+disk+"/full").Output()
	require.NoError(t, err)
	assert.Equal(t, "apivideo-token: the file of -secret-file cannot be written: no space left on device\nfull\n", string(out))
}

func TestServeBadSecretLeavesNoSocket(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	dir := t.TempDir()
	u.failure(78, "serve", "-listen", "unix:"+filepath.Join(dir, "socket"), "-secret-file", filepath.Join(dir, "none", "x"))
	assert.NoFileExists(t, filepath.Join(dir, "socket"))
}

// A read from a pipe that nobody writes to cannot be broken off.
func TestServeSignalEndsWaitForPipe(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	secret := u.command("serve", "-listen", "127.0.0.1:0", "-secret-file", fifo)
	key := u.command("serve", "-listen", "127.0.0.1:0", "-secret-file", fifo)
	key.Env = append(key.Env, keyVariable+"=", keyFileVariable+"="+fifo)
	for _, cmd := range []*exec.Cmd{secret, key} {
		require.NoError(t, cmd.Start())
		// Once the pipe can be opened for writing, it is being read.
		writer, err := os.OpenFile(fifo, os.O_WRONLY, 0)
		require.NoError(t, err)
		defer writer.Close()
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		assert.Error(t, cmd.Wait())
		assert.Equal(t, syscall.SIGTERM, cmd.ProcessState.Sys().(syscall.WaitStatus).Signal())
	}
}
