package filestore_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/filestore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func init() {
	// Another process that opens the file must wait until the lease is broken, 45
	// seconds.
	lease := func(f *os.File, err error) error {
		if err != nil {
			return err
		}
		const setLease = 1024 // F_SETLEASE
		if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), setLease, syscall.F_WRLCK); errno != 0 {
			return errno
		}
		return nil
	}
	pranks["lease on the lock"] = func(path string) error { return lease(put(path + ".lock")) }
	pranks["lease on the value"] = func(path string) error { return lease(put(path)) }
}

// Some file systems have one owner for all files, for example volumes of
// containers. Here the owner of new files is not the user of the process.
//
// Promise: filestore's locks work on a file system that shows one owner for all files.
// Promise: Filestore's locks work on a file system that shows one owner for all files.
func TestStoreOneOwnerOfAllFiles(t *testing.T) {
	dir, key := filepath.Join(t.TempDir(), "store"), randomKey()
	require.NoError(t, os.Mkdir(dir, 0o700))
	openFor(t, dir, 0o777)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if os.Getuid() == 0 {
		require.NoError(t, syscall.Setfsuid(user))
		defer syscall.Setfsuid(0)
	}
	s := filestore.New(dir)
	store(t, s, key, "value")
	before, err := os.Stat(filepath.Join(dir, key+".lock"))
	require.NoError(t, err)
	store(t, s, key, "new")
	after, err := os.Stat(filepath.Join(dir, key+".lock"))
	require.NoError(t, err)
	assert.True(t, os.SameFile(before, after), "the lock file was replaced")
	assert.Len(t, list(t, dir), 2)
}

// When the system cannot write to the disk, the old value stays.
//
// Promise: In filestore, a value that is not on the disk does not replace the old one.
func TestStoreFailedSyncKeepsOldValue(t *testing.T) {
	dir, key := t.TempDir(), randomKey()
	s := filestore.New(dir)
	store(t, s, key, "old")
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with the goroutine
		if err := failSync(); err != nil {
			failed <- err
			return
		}
		failed <- s.Update(context.Background(), key, func(context.Context, []byte) ([]byte, error) { return []byte("new"), nil })
	}()
	select {
	case err := <-failed:
		assert.ErrorIs(t, err, syscall.EIO)
		assert.ErrorContains(t, err, "filestore: sync ")
	case <-time.After(patience):
		t.Fatal("Update does not return")
	}
	assert.Equal(t, "old", load(t, s, key))
	assert.Len(t, list(t, dir), 2, "a temporary file is left")
}
