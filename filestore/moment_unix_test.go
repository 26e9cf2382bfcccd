//go:build unix

package filestore_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/filestore"
	"github.com/gofrs/flock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// moment is a context that is asked for its error right after the lock was
// obtained. Nothing else tells when that is.
type moment struct {
	context.Context
	err func() error
}

func (m moment) Err() error { return m.err() }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Somebody replaces the lock file between its opening and the lock on it.
//
// Promise: filestore's lock is on the file that is at its path.
// Promise: Filestore's lock is on the file that is at its path.
func TestLockFileReplacedMeanwhile(t *testing.T) {
	dir, key := t.TempDir(), randomKey()
	path := filepath.Join(dir, key+".lock")
	replace := sync.OnceValue(func() error {
		require.NoError(t, os.WriteFile(path+".new", nil, 0o600))
		return os.Rename(path+".new", path)
	})
	ctx := moment{t.Context(), func() error {
		if exists(path) {
			require.NoError(t, replace())
		}
		return nil
	}}
	require.NoError(t, filestore.New(dir).Update(ctx, key, func(context.Context, []byte) ([]byte, error) {
		free, err := flock.New(path).TryLock()
		assert.NoError(t, err)
		assert.False(t, free, "the lock is on another file")
		return []byte("value"), nil
	}))
	assert.NoError(t, replace(), "it was not replaced")
}

// Somebody replaces it each time: Update does not try until its context ends.
//
// Promise: If filestore's lock file is replaced again and again, Update fails.
func TestLockFileReplacedAllTheTime(t *testing.T) {
	dir, key := t.TempDir(), randomKey()
	path := filepath.Join(dir, key+".lock")
	ctx := moment{t.Context(), func() error {
		if exists(path) {
			require.NoError(t, os.WriteFile(path+".new", nil, 0o600))
			require.NoError(t, os.Rename(path+".new", path))
		}
		return nil
	}}
	updated := make(chan error, 1)
	go func() { updated <- filestore.New(dir).Update(ctx, key, nil) }()
	select {
	case err := <-updated:
		assert.EqualError(t, err, "filestore: locking: another user keeps replacing the lock file")
	case <-time.After(patience):
		t.Fatal("Update still tries")
	}
}

// Promise: filestore releases a lock obtained after the context has ended, and waiting ends with the context.
// Promise: Filestore releases a lock obtained after the context has ended, and waiting ends with the context.
func TestLockObtainedAfterContextEnded(t *testing.T) {
	dir, key := t.TempDir(), randomKey()
	s, path := filestore.New(dir), filepath.Join(dir, key+".lock")
	ended, cancel := context.WithCancel(t.Context())
	ctx := moment{ended, func() error {
		if exists(path) {
			cancel()
		}
		return ended.Err()
	}}
	assert.ErrorIs(t, s.Update(ctx, key, func(context.Context, []byte) ([]byte, error) {
		t.Error("fn was called")
		return nil, nil
	}), context.Canceled)
	store(t, s, key, "value") // the lock is free
}

// Promise: filestore releases a lock obtained after the context has ended, and waiting ends with the context.
// Promise: Filestore releases a lock obtained after the context has ended, and waiting ends with the context.
func TestLockWaitEndsWithContext(t *testing.T) {
	s, key := filestore.New(t.TempDir()), randomKey()
	require.NoError(t, s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		waited := make(chan error, 1)
		go func() { waited <- s.Update(ctx, key, nil) }()
		select {
		case err := <-waited:
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		case <-time.After(patience):
			t.Error("Update still waits")
		}
		return nil, nil
	}))
}

// Another user puts links where the temporary file will be, and pipes that
// somebody writes to where the value is.
//
// Promise: filestore follows no link and waits for no pipe, at any moment.
// Promise: Filestore follows no link and waits for no pipe, at any moment.
func TestStoreFollowsNoLinkWaitsForNoPipe(t *testing.T) {
	dir, target, key := t.TempDir(), filepath.Join(t.TempDir(), "target"), randomKey()
	path, s := filepath.Join(dir, key), filestore.New(dir)
	require.NoError(t, syscall.Mkfifo(path+".writer", 0o600))
	writer, err := os.OpenFile(path+".writer", os.O_RDWR|syscall.O_NONBLOCK, 0)
	require.NoError(t, err)
	defer writer.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var all sync.WaitGroup
	repeat := func(step func()) {
		all.Go(func() {
			for ctx.Err() == nil {
				step()
			}
		})
	}
	repeat(func() { os.Symlink(target, path+".tmp") })
	repeat(func() {
		os.Link(path+".writer", path+".pipe")
		os.Rename(path+".pipe", path)
		os.WriteFile(path+".file", []byte("value"), 0o600)
		os.Rename(path+".file", path)
	})
	repeat(func() {
		s.Update(ctx, key, func(context.Context, []byte) ([]byte, error) { return []byte("value"), nil })
	})
	for range 2 {
		repeat(func() { s.Load(ctx, key) })
	}
	ended := make(chan struct{})
	go func() { all.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("a call waits for a pipe")
	}
	assert.NoFileExists(t, target, "a link was followed")
}
