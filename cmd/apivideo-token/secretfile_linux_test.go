package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// needRoot skips a test that only root can run. It runs in the gate.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

const nobody = 65532 // the user of the container image

// asNobody makes cmd run as a user who is in no group but these. The files that
// it needs must be open to everybody.
func (u *user) asNobody(cmd *exec.Cmd, groups ...uint32) {
	u.t.Helper()
	for _, dir := range []string{cmd.Dir, u.env["HOME"]} {
		require.NoError(u.t, os.Chmod(filepath.Dir(dir), 0o755))
		require.NoError(u.t, os.Chmod(dir, 0o777))
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody, Groups: groups}}
}

// Promise: A `-secret-file` of root or the user may be read by a group of the process, and by nobody else.
func TestServeSecretFileOwners(t *testing.T) {
	t.Parallel()
	needRoot(t)
	u := newUser(t)
	dir := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	const fsGroup, bad = 4242, "apivideo-token: the file of -secret-file "
	for name, c := range map[string]struct {
		uid, gid int
		mode     os.FileMode
		mistake  string
	}{
		"own":                {nobody, nobody, 0o600, ""},
		"fsGroup":            {0, fsGroup, 0o440, ""},
		"main group":         {0, nobody, 0o440, ""},
		"foreign group":      {0, 4343, 0o440, "cannot be read: permission denied"},
		"own, foreign group": {nobody, 4343, 0o440, "can be read by a group that this process is not in; run chmod 600"},
		"root's group":       {nobody, 0, 0o440, ""},
		"group may write":    {0, fsGroup, 0o660, "can be written by its group; run chmod 600"},
		"others may read":    {0, fsGroup, 0o444, "can be read by others; run chmod 600"},
		"another user":       {1000, fsGroup, 0o440, "belongs to another user; run chown"},
	} {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, []byte("made-up-secret-of-a-pod\n"), 0o600))
		require.NoError(t, os.Chown(file, c.uid, c.gid))
		require.NoError(t, os.Chmod(file, c.mode))
		cmd := u.command("serve", "-listen", "127.0.0.1:0", "-secret-file", file)
		u.asNobody(cmd, fsGroup)
		if c.mistake == "" {
			line, _ := u.start(cmd)
			assert.Contains(t, line, "http://127.0.0.1:", name)
			require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
			assert.NoError(t, cmd.Wait(), name)
			continue
		}
		out, err := cmd.CombinedOutput()
		assert.Error(t, err, name)
		assert.Equal(t, bad+c.mistake+"\n", string(out), name)
		assert.Equal(t, 78, cmd.ProcessState.ExitCode(), name)
	}

	// Root can read everything, so only the owner counts.
	file := filepath.Join(dir, "own")
	assert.Equal(t, bad+"belongs to another user; run chown", u.failure(78, "serve", "-listen", "127.0.0.1:0", "-secret-file", file))
}
