//go:build unix

package filestore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/filestore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func init() {
	becomeUser = func(uid int) error {
		if os.Getuid() != 0 {
			return nil
		}
		return errors.Join(syscall.Setgroups(nil), syscall.Setgid(uid), syscall.Setuid(uid))
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
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, want, info.Mode().Perm(), path)
}

// Another user of a folder that everybody may write to puts links and pipes
// there, at the worst moments.
func TestStoreRaceWithLinksAndPipes(t *testing.T) {
	dir, target, key := t.TempDir(), filepath.Join(t.TempDir(), "target"), randomKey()
	path, s := filepath.Join(dir, key), filestore.New(dir)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var all sync.WaitGroup
	for _, step := range []func(){
		func() { os.Symlink(target, path+".lock") },
		func() { os.Remove(path + ".lock") },
		func() { s.Update(ctx, key, func(context.Context, []byte) ([]byte, error) { return nil, nil }) },
		func() { syscall.Mkfifo(path+".pipe", 0o600) },
		func() { os.Rename(path+".pipe", path) },
		func() { os.WriteFile(path+".file", nil, 0o600) },
		func() { os.Rename(path+".file", path) },
		func() { s.Load(ctx, key) },
	} {
		all.Go(func() {
			for ctx.Err() == nil {
				step()
			}
		})
	}
	all.Wait()
	assert.NoFileExists(t, target)
}

// openFor gives a folder a mode, and makes it reachable for other users.
func openFor(t *testing.T, dir string, mode os.FileMode) {
	t.Helper()
	for parent := filepath.Dir(dir); parent != filepath.Clean(os.TempDir()); parent = filepath.Dir(parent) {
		require.NoError(t, os.Chmod(parent, 0o711))
	}
	require.NoError(t, os.Chmod(dir, mode))
}

// A run as root left its files behind. Without root, the test makes files that
// nobody may open instead.
func TestStoreReplacesFilesOfRoot(t *testing.T) {
	srv, dir := apivideotest.NewServer(), filepath.Join(t.TempDir(), "store")
	defer srv.Close()
	root := start(t, 1, "child", dir, srv.URL, srv.Config().APIKey)
	root.begin()
	root.line(t)
	openFor(t, dir, 0o777)
	for _, f := range list(t, dir) {
		if path := filepath.Join(dir, f.Name()); os.Getuid() != 0 {
			require.NoError(t, os.Chmod(path, 0))
		}
	}
	users := start(t, 10, "user", dir, srv.URL, srv.Config().APIKey)
	users.begin()
	users.line(t)
	assert.Equal(t, apivideotest.Counters{AuthCalls: 2, Authenticated: 2}, srv.Counters())
	assert.Len(t, list(t, dir), 2)
}
