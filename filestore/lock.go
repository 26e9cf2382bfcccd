package filestore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// pollInterval is how often a waiting Update tries to get the lock. The
// system's own wait for a lock cannot be canceled.
const pollInterval = 10 * time.Millisecond

// lock waits for the lock on a file, and makes the file if needed. Each call
// opens the file, so the lock also holds between goroutines of one process.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	l := flock.New(path, flock.SetFlag(os.O_RDWR|os.O_CREATE|openFlags)) // mode 0600
	for {
		if err := removeUnusable(ctx, path); err != nil {
			return nil, err
		}
		locked, err := l.TryLock()
		if err != nil {
			return nil, err
		}
		if locked && ctx.Err() == nil && isAt(l, path) {
			return func() { l.Unlock() }, nil
		}
		l.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pollInterval):
		}
	}
}

// isAt reports whether the locked file is still the one at path. If another
// process has replaced it, the lock is worthless.
func isAt(l *flock.Flock, path string) bool {
	locked, err1 := l.Stat()
	found, err2 := os.Lstat(path)
	return err1 == nil && err2 == nil && found.Mode().IsRegular() && os.SameFile(locked, found)
}

// removeUnusable removes what is at path if it cannot be a lock file. Only one
// process at a time does so, or it could remove the file that another has just
// made and locked. The lock for that is on the folder. Windows has no such
// locks; there the worst case is two Updates at once.
func removeUnusable(ctx context.Context, path string) error {
	if err := probe(path); !errors.Is(err, errUnusable) {
		return err
	}
	folder := flock.New(filepath.Dir(path), flock.SetFlag(os.O_RDONLY))
	folder.TryLockContext(ctx, pollInterval)
	defer folder.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := probe(path); !errors.Is(err, errUnusable) {
		return err
	}
	return remove(path)
}

// probe returns errUnusable if what is at path cannot be a lock file.
func probe(path string) error {
	f, err := open(path, os.O_RDWR)
	switch {
	case err == nil:
		return f.Close()
	case errors.Is(err, os.ErrNotExist):
		return nil
	}
	return err
}
