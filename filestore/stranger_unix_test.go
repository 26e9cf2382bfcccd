//go:build unix

package filestore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/filestore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pranks are what another user does in a folder that everybody may write to. It
// gets the path of the value. The effect lasts until the process ends. Tests that
// do not run as root have no other user, but then others may open the files.
var pranks = map[string]func(path string) error{
	"file":         func(path string) error { _, err := put(path + ".lock"); return err },
	"lock":         func(path string) error { return flocked(put(path + ".lock")) },
	"value":        func(path string) error { return flocked(put(path)) },
	"private lock": func(path string) error { return flocked(putMode(path+".lock", 0o600)) },
	"pipe":         func(path string) error { return syscall.Mkfifo(path+".lock", 0o666) },
	"two pipes": func(path string) error {
		return errors.Join(syscall.Mkfifo(path+".lock", 0o666), syscall.Mkfifo(path, 0o666))
	},
	"link":   func(path string) error { return os.Symlink("elsewhere", path+".lock") },
	"folder": func(path string) error { return os.Mkdir(path+".lock", 0o777) },
	"file, with the folder locked": func(path string) error {
		_, err := put(path + ".lock")
		return errors.Join(err, flocked(os.Open(filepath.Dir(path))))
	},
	"pipe, with the folder locked": func(path string) error {
		return errors.Join(syscall.Mkfifo(path+".lock", 0o666), flocked(os.Open(filepath.Dir(path))))
	},
}

func init() {
	roles["stranger"] = func(args []string) error {
		if err := becomeUser(stranger); err != nil {
			return err
		}
		syscall.Umask(0)
		for _, path := range args[1:] {
			if err := pranks[args[0]](path); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
		}
		fmt.Println("ready")
		io.Copy(io.Discard, os.Stdin)
		return nil
	}
}

// put makes a file that everybody may open. It stays open.
func put(path string) (*os.File, error) { return putMode(path, 0o666) }

func putMode(path string, mode os.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
	kept = append(kept, f)
	return f, err
}

var kept []*os.File // or the garbage collector would close them

func flocked(f *os.File, err error) error {
	if err != nil {
		return err
	}
	kept = append(kept, f)
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// Promise: Filestore: a lock file, lock, pipe or lease of another user in an open folder delays nobody.
func TestStoreStrangerHasNoLock(t *testing.T) {
	for prank := range pranks {
		if prank == "private lock" && os.Getuid() != 0 {
			continue // it would be a lock of this user
		}
		t.Run(prank, func(t *testing.T) {
			t.Parallel()
			srv, dir := apivideotest.NewServer(), filepath.Join(t.TempDir(), "store")
			defer srv.Close()
			require.NoError(t, os.Mkdir(dir, 0o700))
			openFor(t, dir, 0o777)
			// The names cannot be guessed, but found in the folder.
			first := start(t, 1, "user", dir, srv.URL, srv.Config().APIKey)
			first.begin()
			first.line(t)
			var name string
			for _, f := range list(t, dir) {
				name = strings.TrimSuffix(f.Name(), ".lock")
				require.NoError(t, os.Remove(filepath.Join(dir, f.Name())))
			}
			start(t, 1, "stranger", prank, filepath.Join(dir, name))

			users := start(t, 5, "user", dir, srv.URL, srv.Config().APIKey)
			users.begin()
			users.line(t) // one token: none of them has left the store
			assert.Equal(t, 2, srv.Counters().AuthCalls)
			for _, suffix := range []string{"", ".lock"} {
				assertMode(t, 0o600, filepath.Join(dir, name+suffix))
			}
		})
	}
}

// Root can open the files of all users. A test that does not run as root meets
// another lock of the same user, and waits for it.
//
// Promise: Filestore: a lock file, lock, pipe or lease of another user in an open folder delays nobody.
func TestStoreOfRootStrangerHasNoLock(t *testing.T) {
	dir, key := filepath.Join(t.TempDir(), "store"), randomKey()
	require.NoError(t, os.Mkdir(dir, 0o700))
	openFor(t, dir, 0o777)
	start(t, 1, "stranger", "private lock", filepath.Join(dir, key))
	wait, want := patience, error(nil)
	if os.Getuid() != 0 {
		wait, want = 100*time.Millisecond, context.DeadlineExceeded
	}
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	assert.ErrorIs(t, filestore.New(dir).Update(ctx, key, func(context.Context, []byte) ([]byte, error) { return nil, nil }), want)
}

// In a folder with the sticky bit, nobody can replace the files of others.
//
// Promise: In a folder where filestore cannot replace another user's lock file, Update fails at once.
func TestStoreStickyFolder(t *testing.T) {
	dir, key := filepath.Join(t.TempDir(), "store"), randomKey()
	require.NoError(t, os.Mkdir(dir, 0o700))
	openFor(t, dir, 0o777|os.ModeSticky)
	start(t, 1, "stranger", "lock", filepath.Join(dir, key))
	u := start(t, 1, "updater", dir, key)
	u.begin()
	if os.Getuid() == 0 {
		assert.Regexp(t, "^filestore: locking: another user's lock file is in the way: rename .*: operation not permitted", u.line(t))
	} else {
		assert.Equal(t, "<nil>", u.line(t))
	}
}

// This user's own file, with the mode that a lock file has, is a lock.
//
// Promise: filestore respects and keeps this user's own lock file if others may not open it.
// Promise: Filestore respects and keeps this user's own lock file if others may not open it.
func TestStoreOwnLockIsRespected(t *testing.T) {
	dir, key := t.TempDir(), randomKey()
	s := filestore.New(dir)
	store(t, s, key, "value")
	path := filepath.Join(dir, key+".lock")
	before, err := os.Stat(path)
	require.NoError(t, err)
	for range 3 {
		store(t, s, key, "value")
	}
	after, err := os.Stat(path)
	require.NoError(t, err)
	assert.True(t, os.SameFile(before, after))

	require.NoError(t, os.Chmod(path, 0o666))
	store(t, s, key, "value")
	assertMode(t, 0o600, path)
}
