package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The user who runs the command, and another one. If the tests do not run as
// root, both are the same, and what only another user shows is not tested.
const (
	ownerID    = 65001
	strangerID = 65002
)

func isRoot() bool { return os.Geteuid() == 0 }

// by has a command run as a user.
func by(id int, cmd *exec.Cmd) *exec.Cmd {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	if isRoot() {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(id), Gid: uint32(id), NoSetGroups: false}
	}
	return cmd
}

// folder makes a folder that belongs to a user. Others may enter it.
func folder(t *testing.T, owner int) string {
	dir, err := os.MkdirTemp("", "apivideo-token-of-a-user")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	if isRoot() {
		require.NoError(t, os.Chown(dir, owner, owner))
	}
	return dir
}

// place writes a file of a user.
func place(t *testing.T, owner int, path, content string, mode os.FileMode) string {
	require.NoError(t, os.WriteFile(path, []byte(content), mode))
	require.NoError(t, os.Chmod(path, mode))
	if isRoot() {
		require.NoError(t, os.Chown(path, owner, owner))
	}
	return path
}

// newOwner is newUser for the user who runs the command.
func newOwner(t *testing.T) *user {
	u := newUser(t)
	home := folder(t, ownerID)
	u.env["HOME"], u.env["XDG_CACHE_HOME"] = home, filepath.Join(home, "cache")
	u.env["PATH"] = "/usr/local/bin:/usr/bin:/bin"
	return u
}

// The attacker is the binary of the tests with this variable: the process that
// it attacks, and what it looks for, turned round so that it has no copy itself.
const attackVariable = "TEST_ATTACK"

func init() {
	if target := os.Getenv(attackVariable); target != "" {
		attack(target)
		os.Exit(0)
	}
}

// attack reads all of another process that the kernel lets it read, and prints
// where it has found the secret.
func attack(target string) {
	pid, backwards, _ := strings.Cut(target, " ")
	if pid == "run" {
		pid = os.Getenv("RUN") // from the script that run has started
	}
	secret := []byte(backwards)
	for i, j := 0, len(secret)-1; i < j; i, j = i+1, j-1 {
		secret[i], secret[j] = secret[j], secret[i]
	}
	look := func(where string, content []byte, err error) {
		if err == nil && bytes.Contains(content, secret) {
			fmt.Println("found in", where)
		}
	}
	for _, file := range []string{"environ", "cmdline", "auxv", "stack"} {
		content, err := os.ReadFile(filepath.Join("/proc", pid, file))
		look(file, content, err)
	}
	for _, dir := range []string{filepath.Join("/proc", pid, "fd"), "/proc/self/fd"} {
		names, _ := os.ReadDir(dir)
		for _, name := range names {
			if path := filepath.Join(dir, name.Name()); regular(path) {
				content, err := os.ReadFile(path)
				look(path, content, err)
			}
		}
	}
	os.Stdin.Seek(0, io.SeekStart)
	if regular("/proc/self/fd/0") {
		content, err := io.ReadAll(os.Stdin)
		look("standard input", content, err)
	}
	n, _ := strconv.Atoi(pid)
	memory(n, look)
	runtime.LockOSThread()
	if err := unix.PtraceAttach(n); err == nil {
		fmt.Println("found in ptrace")
		unix.Wait4(n, nil, unix.WALL, nil)
		unix.PtraceDetach(n)
	}
	fmt.Println("done")
}

func regular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// memory reads the writable memory of a process in two ways.
func memory(pid int, look func(string, []byte, error)) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return
	}
	mem, memErr := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	for line := range strings.Lines(string(maps)) {
		var from, to uintptr
		var mode string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "rw") || to-from > 1<<30 {
			continue
		}
		content := make([]byte, to-from)
		if memErr == nil {
			mem.ReadAt(content, int64(from))
			look("mem", content, nil)
		}
		unix.ProcessVMReadv(pid, []unix.Iovec{{Base: &content[0], Len: uint64(len(content))}}, []unix.RemoteIovec{{Base: from, Len: len(content)}}, 0)
		look("process_vm_readv", content, nil)
	}
}

// attacker returns the path of the attacker, which every user may start, and
// what to give it for a secret of a process.
func attacker(t *testing.T, pid, secret string) (path, variable string) {
	self, err := os.Executable()
	require.NoError(t, err)
	content, err := os.ReadFile(self)
	require.NoError(t, err)
	backwards := []byte(secret)
	for i, j := 0, len(backwards)-1; i < j; i, j = i+1, j-1 {
		backwards[i], backwards[j] = backwards[j], backwards[i]
	}
	path = place(t, strangerID, filepath.Join(folder(t, strangerID), "attacker"), string(content), 0o755)
	return path, attackVariable + "=" + pid + " " + string(backwards)
}

// The attacker finds what is there to be found.
func TestAttackerWorks(t *testing.T) {
	t.Parallel()
	const secret = "made-up-key-of-a-process"
	prey := by(ownerID, exec.Command("sleep", "600"))
	prey.Env = []string{"APIVIDEO_API_KEY=" + secret, "PATH=/usr/bin:/bin"}
	require.NoError(t, prey.Start())
	defer prey.Wait()
	defer prey.Process.Kill()
	path, variable := attacker(t, strconv.Itoa(prey.Process.Pid), secret)
	cmd := by(ownerID, exec.Command(path))
	cmd.Env = []string{variable}
	out, err := cmd.Output()
	require.NoError(t, err)
	found := []string{"environ", "mem", "process_vm_readv", "ptrace"}
	if yama, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope"); err == nil && string(yama) != "0\n" {
		found = found[:1] // the rest is for parents only
	}
	for _, where := range found {
		assert.Contains(t, string(out), "found in "+where+"\n")
	}
}

// The program behind run, of the same user.
//
// Promise: On Linux the program behind `run` cannot read the key from the memory, the environment or the descriptors of `run`.
func TestRunProgramCannotReadTheKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ give func(u *user, cmd *exec.Cmd) }{
		"environment": {func(u *user, cmd *exec.Cmd) { cmd.Env = append(cmd.Env, keyVariable+"="+u.key()) }},
		"a pipe": {func(u *user, cmd *exec.Cmd) {
			cmd.Env = append(cmd.Env, keyFileVariable+"=-")
			cmd.Stdin = strings.NewReader(u.key() + "\n")
		}},
		"a here-document": {func(u *user, cmd *exec.Cmd) {
			cmd.Env = append(cmd.Env, keyFileVariable+"=/dev/stdin")
			cmd.Stdin = deleted(u)
		}},
		"a descriptor": {func(u *user, cmd *exec.Cmd) {
			cmd.Env = append(cmd.Env, keyFileVariable+"=/dev/fd/4")
			cmd.ExtraFiles = []*os.File{deleted(u), deleted(u)} // one is left from something else
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newOwner(t)
			path, variable := attacker(t, "run", u.key())
			delete(u.env, keyVariable)
			cmd := by(ownerID, u.command("run", "--", "bash", "-c", `RUN=$PPID "$0" && curl -sS --fail-with-body -u "$APIVIDEO_API_KEY:" "$APIVIDEO_BASE_URL/videos"`, path))
			cmd.Dir = "/"
			cmd.Env = append(cmd.Env, variable)
			c.give(u, cmd)
			var failure bytes.Buffer
			cmd.Stderr = &failure
			out, err := cmd.Output()
			require.NoError(t, err, failure.String())
			assert.Regexp(t, `^done\n\{`, string(out), "nothing is found, and run works")
			assert.Empty(t, failure.String())
		})
	}
}

// deleted returns a file without a name that has the key, which the owner could
// read, as a shell makes it for a here-document.
func deleted(u *user) *os.File {
	path := place(u.t, ownerID, filepath.Join(u.t.TempDir(), "here"), u.key()+"\n", 0o600)
	f, err := os.Open(path)
	require.NoError(u.t, err)
	u.t.Cleanup(func() { f.Close() })
	require.NoError(u.t, os.Remove(path))
	return f
}
