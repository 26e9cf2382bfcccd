//go:build unix

package filestore_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/filestore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// userVariable is the environment variable with the user that a child becomes.
const userVariable = "FILESTORE_TEST_USER"

func init() {
	becomeUser = func() error {
		user, err := strconv.Atoi(os.Getenv(userVariable))
		if err != nil {
			return nil // it stays what it is
		}
		return errors.Join(syscall.Setgroups(nil), syscall.Setgid(user), syscall.Setuid(user))
	}
	obstacles["a link"] = func(path, precious string) error { return os.Symlink(precious, path) }
	obstacles["a link to nothing"] = func(path, precious string) error { return os.Symlink(precious+".new", path) }
	obstacles["a link to a device"] = func(path, _ string) error { return os.Symlink("/dev/zero", path) }
	obstacles["a pipe"] = func(path, _ string) error { return syscall.Mkfifo(path, 0o600) }
}

func TestStoreModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s, key := filestore.New(dir), randomKey()
	assert.Empty(t, load(t, s, key))
	assert.NoDirExists(t, filepath.Dir(dir), "Load makes nothing")
	store(t, s, key, "old")
	store(t, s, key, "new")
	for path, mode := range map[string]os.FileMode{"..": 0o700, ".": 0o700, key: 0o600, key + ".lock": 0o600} {
		assertMode(t, mode, filepath.Join(dir, path))
	}
	require.NoError(t, os.Chmod(dir, 0o750))
	store(t, s, key, "newer")
	assertMode(t, 0o750, dir)
}

func assertMode(t *testing.T, want os.FileMode, path string) {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, want, info.Mode().Perm(), path)
}

// One run as root left its files behind. A test without root makes files that
// nobody may open instead.
func TestStoreReplacesFilesOfRoot(t *testing.T) {
	srv, dir := newServer(t), filepath.Join(t.TempDir(), "store")
	root := start(t, 1, dir, srv.Config())
	root.begin()
	root.line(t)
	for parent := filepath.Dir(dir); parent != filepath.Clean(os.TempDir()); parent = filepath.Dir(parent) {
		require.NoError(t, os.Chmod(parent, 0o711))
	}
	require.NoError(t, os.Chmod(dir, 0o777))
	if os.Getuid() == 0 {
		t.Setenv(userVariable, "65534")
	} else {
		for _, f := range list(t, dir) {
			require.NoError(t, os.Chmod(filepath.Join(dir, f.Name()), 0))
		}
	}
	users := start(t, 10, dir, srv.Config())
	users.begin()
	users.line(t)
	assert.Equal(t, apivideotest.Counters{AuthCalls: 2, Authenticated: 2}, srv.Counters())
	assert.Len(t, list(t, dir), 2)
}
