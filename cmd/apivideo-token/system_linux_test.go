package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestTokenEndsOnSignal(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			u := newUser(t)
			u.fail(apivideotest.Hang)
			var out, failure bytes.Buffer
			cmd := u.command()
			cmd.Stdout, cmd.Stderr = &out, &failure
			require.NoError(t, cmd.Start())
			require.Eventually(t, func() bool { return u.srv.Counters().AuthCalls == 1 }, patience, 5*time.Millisecond)
			require.NoError(t, cmd.Process.Signal(sig))
			require.Error(t, cmd.Wait())
			assert.Equal(t, sig, cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(), "a shell takes it for 128 and the signal")
			assert.Empty(t, out.String()+failure.String())

			u.srv.FailFunc(nil)
			u.token() // the lock is free again
		})
	}
}

func TestOutputWriteErrorFails(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer full.Close()
	r, broken, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	defer broken.Close()
	for _, args := range [][]string{nil, {"-json"}, {"-h"}, {"-version"}, {"status"}, {"check"}} {
		u.cannotWrite(full, "no space left on device", args...)
		u.cannotWrite(broken, "broken pipe", args...)
	}
}

func (u *user) cannotWrite(stdout *os.File, reason string, args ...string) {
	u.t.Helper()
	var failure bytes.Buffer
	cmd := u.command(args...)
	cmd.Stdout, cmd.Stderr = stdout, &failure
	assert.Error(u.t, cmd.Run())
	assert.Equal(u.t, 1, cmd.ProcessState.ExitCode())
	assert.Equal(u.t, "apivideo-token: cannot write to standard output: "+reason+"\n", failure.String())
}

func TestTimeoutBoundsKeyFileAndOutput(t *testing.T) {
	t.Parallel()
	const line = "apivideo-token: no token within 500ms; check the network, or try a longer -timeout or -no-cache"
	u := newUser(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	require.NoError(t, w.SetWriteDeadline(time.Now().Add(100*time.Millisecond)))
	_, err = w.Write(make([]byte, 1<<20))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	cmd := u.command("-timeout=500ms")
	var failure bytes.Buffer
	cmd.Stdout, cmd.Stderr = w, &failure
	require.Error(t, cmd.Run())
	assert.Equal(t, 75, cmd.ProcessState.ExitCode())
	assert.Equal(t, line+"\n", failure.String())

	u.keyFile("")
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	u.env[keyFileVariable] = fifo
	assert.Equal(t, line, u.failure(75, "-timeout=500ms"))
}

func TestKeyFileMayBeFIFO(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	delete(u.env, keyVariable)
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	u.env[keyFileVariable] = fifo
	go os.WriteFile(fifo, []byte(u.key()+"\n"), 0o600)
	u.token()
}

func TestShellScriptSeesStatus(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	sh, err := exec.LookPath("sh")
	require.NoError(t, err)
	cmd := u.command()
	cmd.Path, cmd.Args = sh, []string{"sh", "-c", `TOKEN=$("$0" -bogus 2>/dev/null) || echo "failed: $?$TOKEN"`, binary}
	out, err := cmd.Output()
	require.NoError(t, err)
	assert.Equal(t, "failed: 2\n", string(out))
}

// terminal returns both ends of a pseudo-terminal.
func terminal(t *testing.T) (screen, program *os.File) {
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { screen.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { program.Close() })
	return screen, program
}

func TestTokenOnTerminalWarns(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	screen, program := terminal(t)
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer null.Close()
	for stdout, want := range map[*os.File]string{
		program: "apivideo-token: warning: this terminal shows a secret; use a pipe\n",
		null:    "",
	} {
		var failure bytes.Buffer
		cmd := u.command()
		cmd.Stdout, cmd.Stderr = stdout, &failure
		require.NoError(t, cmd.Run())
		assert.Equal(t, want, failure.String())
	}
	shown := make([]byte, 4096)
	n, err := screen.Read(shown)
	require.NoError(t, err)
	assert.Contains(t, string(shown[:n]), u.token())
}
