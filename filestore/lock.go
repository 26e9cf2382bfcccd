package filestore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

const (
	// pollInterval is how often a waiting Update tries to get the lock. The
	// system's own wait for a lock cannot be canceled.
	pollInterval = 10 * time.Millisecond

	// folderWait is the shortest limit of the wait for the lock on the folder,
	// and half of the longest. In a folder that everybody may read, another user
	// can hold that lock for ever.
	folderWait = 500 * time.Millisecond

	// maxReplaced is how often one Update may find that its lock file was
	// replaced. Only another user replaces it again and again.
	maxReplaced = 5
)

var errReplaced = errors.New("another user keeps replacing the lock file")

// lock waits for the lock on a file, and makes the file if needed. Each call
// opens the file, so the lock also holds between goroutines of one process.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	l := flock.New(path, flock.SetFlag(os.O_RDWR|os.O_CREATE|openFlags)) // mode 0600
	for replaced := 0; replaced < maxReplaced; {
		removed, err := removeUnusable(ctx, path)
		if err != nil {
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
		if removed || locked {
			replaced++
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pollInterval):
		}
	}
	return nil, errReplaced
}

// isAt reports whether the locked file is still the one at path. If somebody has
// replaced it, the lock is worthless.
func isAt(l *flock.Flock, path string) bool {
	locked, err1 := l.Stat()
	found, err2 := os.Lstat(path)
	return err1 == nil && err2 == nil && os.SameFile(locked, found)
}

// removeUnusable removes what is at path if it cannot be a lock file. The lock on
// the folder lets one process at a time do so, or one could remove the file that
// another has just made and locked. Those that do not get it in time, because
// another user holds it or on Windows, which has no such locks, do so at random
// times. The worst case is two Updates at once.
func removeUnusable(ctx context.Context, path string) (removed bool, err error) {
	if err := probe(path); !errors.Is(err, errUnusable) {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, folderWait+mathrand.N(folderWait))
	defer cancel()
	folder := flock.New(filepath.Dir(path), flock.SetFlag(os.O_RDONLY))
	folder.TryLockContext(ctx, pollInterval)
	defer folder.Unlock()
	if err := probe(path); !errors.Is(err, errUnusable) {
		return false, err
	}
	moved := path + "." + rand.Text()
	switch err := os.Rename(path, moved); {
	case errors.Is(err, fs.ErrNotExist): // another process was faster
		return false, nil
	case err != nil:
		return false, fmt.Errorf("another user's lock file is in the way: %w", err)
	}
	if err := probe(moved); !errors.Is(err, errUnusable) { // another process was faster
		return false, errors.Join(err, os.Rename(moved, path))
	}
	os.Remove(moved) // but not a folder with content, which may be somebody's data
	return true, nil
}

// probe returns errUnusable if what is at path cannot be a lock file of this user.
func probe(path string) error {
	f, err := open(path, os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !private(info) {
		err = compare(info, path)
	}
	return err
}

// compare returns errUnusable if the access to a file differs from that to a new
// file. Some file systems have one owner and one mode for all files.
func compare(info fs.FileInfo, path string) error {
	name := path + "." + rand.Text()
	f, err := create(name)
	if err != nil {
		return err
	}
	defer os.Remove(name)
	defer f.Close()
	made, err := f.Stat()
	if err == nil && !sameAccess(info, made) {
		err = errUnusable
	}
	return err
}
