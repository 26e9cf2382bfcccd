package filestore_test

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/apivideo/api.video-go-oauth2/apivideotest"
	"github.com/apivideo/api.video-go-oauth2/filestore"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func init() {
	obstacles["a socket"] = func(path, _ string) error { return syscall.Mknod(path, syscall.S_IFSOCK|0o600, 0) }
}

func TestStoreErrorCostsNoRequest(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte("content"), 0o600))
	// Permissions do not stop root, but nobody can make files in /proc.
	for _, dir := range []string{"", file, filepath.Join(file, "sub"), "/proc", "/proc/store"} {
		assert.ErrorContains(t, filestore.New(dir).Update(t.Context(), randomKey(), nil), "filestore: ", dir)
		srv := apivideotest.NewUnstartedServer()
		conf := srv.Config()
		conf.Store = filestore.New(dir)
		tok, err := conf.Source(srv.Context(t.Context())).Token()
		require.NoError(t, err)
		assert.True(t, srv.Valid(tok.AccessToken))
	}
}

// A limit on the size of files stands for a full disk. No other test runs
// meanwhile.
//
// Promise: In filestore, a value that is not on the disk does not replace the old one.
func TestStoreFailedWriteKeepsOldValue(t *testing.T) {
	dir, key := t.TempDir(), randomKey()
	s := filestore.New(dir)
	store(t, s, key, "old")
	var before syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	err := s.Update(t.Context(), key, func(context.Context, []byte) ([]byte, error) {
		signal.Ignore(syscall.SIGXFSZ)
		return make([]byte, 3000), syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1000, Max: before.Max})
	})
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before))
	signal.Reset(syscall.SIGXFSZ)
	assert.ErrorIs(t, err, syscall.EFBIG)
	assert.Equal(t, "old", load(t, s, key))
	assert.Len(t, list(t, dir), 2, "a temporary file is left")
}

func TestStoreLeavesNothingOpen(t *testing.T) {
	s, key := filestore.New(t.TempDir()), randomKey()
	before := len(list(t, "/proc/self/fd"))
	for range 50 {
		store(t, s, key, "value")
		load(t, s, key)
		require.NoError(t, s.Update(t.Context(), key, func(ctx context.Context, _ []byte) ([]byte, error) {
			ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
			defer cancel()
			assert.ErrorIs(t, s.Update(ctx, key, nil), context.DeadlineExceeded)
			return nil, nil
		}))
	}
	assert.Less(t, len(list(t, "/proc/self/fd")), before+25)
}

// Many processes find at once what cannot be a lock file. One replaces it, and no
// two have the lock.
func TestStoreLockHoldsWhileItsFileIsReplaced(t *testing.T) {
	t.Parallel()
	for range 20 {
		dir, key := t.TempDir(), randomKey()
		require.NoError(t, os.Mkdir(filepath.Join(dir, key+".lock"), 0o700))
		var all sync.WaitGroup
		var running atomic.Int32
		for range 16 {
			all.Go(func() {
				assert.NoError(t, filestore.New(dir).Update(t.Context(), key, func(context.Context, []byte) ([]byte, error) {
					assert.EqualValues(t, 1, running.Add(1))
					running.Add(-1)
					return []byte("value"), nil
				}))
			})
		}
		all.Wait()
	}
}
