// Package filestore shares api.video tokens between the processes of one
// machine, in a folder of files.
//
// Programs that start over and over, such as command-line tools and cron jobs,
// then have a token at once, and all of them together make one auth call an
// hour:
//
//	conf := &apivideo.Config{
//		APIKey: os.Getenv("APIVIDEO_API_KEY"),
//		Store:  filestore.New("/var/lib/my-app/api.video"),
//	}
//
// A good place for the folder of a command-line tool is in [os.UserCacheDir].
//
// The folder has a file for each account, named after a key that is derived
// from the API key and reveals nothing, and beside it a lock file. What the
// file holds is sealed by package apivideo, so that who reads it gains no
// token. Still, folder and files are made for their owner alone, with modes
// 0700 and 0600; processes of several users share a token only if they are
// given permissions for that. On Windows the folder's own permissions count.
//
// Every file may be deleted while no program is running that uses it; that
// costs an auth call. Lock files are empty and stay: to delete one while it
// is in use would leave two locks for one file.
//
// The folder must be on a local disk. The locks of network file systems do not
// always exclude each other, and reading may hang; the programs would then go
// on without the store and with a token of their own each.
//
// The package is tested on Linux. For macOS and Windows it is built and
// vetted, but it has not been run there.
package filestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// pollInterval is how often an Update that waits tries to get the lock. The
// system has no wait for it that a context could end.
const pollInterval = 10 * time.Millisecond

// Store is an apivideo.Store in a folder. It is safe for concurrent use, and
// any number of Stores, in one process or in several, may use one folder.
type Store struct{ dir string }

// New returns a Store in the folder dir, which is made, with the folders above
// it, when the first value is stored. A folder that is there keeps its
// permissions. A relative dir is looked up from the working directory at each
// call.
//
// Nothing is done or checked before the first use; if dir is empty, that is an
// error.
func New(dir string) *Store { return &Store{dir} }

// Load implements apivideo.Store. It does not wait for an Update. A context
// that ends while it reads is not noticed.
func (s *Store) Load(ctx context.Context, key string) ([]byte, error) {
	path, err := s.path(ctx, key)
	if err != nil {
		return nil, err
	}
	return read(path)
}

// Update implements apivideo.Store. The lock is the operating system's, and is
// free at once when the process that holds it ends, in whatever way. It cannot
// be lost before, not even by a process that is suspended: fn is given ctx, and
// what it returns without an error is stored even if ctx has ended meanwhile.
func (s *Store) Update(ctx context.Context, key string, fn func(ctx context.Context, old []byte) ([]byte, error)) error {
	path, err := s.path(ctx, key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	unlock, err := lock(ctx, path+".lock")
	if err != nil {
		return fmt.Errorf("filestore: locking: %w", err)
	}
	defer unlock()
	old, err := read(path)
	if err != nil {
		return err
	}
	value, err := fn(ctx, old)
	if err != nil || value == nil {
		return err
	}
	return write(path, value)
}

// path returns where the value of key belongs, or why nothing is to be done.
// Keys that are not lower-case hexadecimal could lead out of the folder, or be
// another key's lock.
func (s *Store) path(ctx context.Context, key string) (string, error) {
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("filestore: %w", ctx.Err())
	case s.dir == "":
		return "", errors.New("filestore: no folder is named; give one to filestore.New")
	case key == "" || strings.Trim(key, "0123456789abcdef") != "":
		return "", fmt.Errorf("filestore: the key %.20q is not lower-case hexadecimal", key)
	}
	return filepath.Join(s.dir, key), nil
}

// lock waits for the lock on a file. Each call opens the file anew, so that
// the goroutines of one process exclude each other too.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	l := flock.New(path) // made with mode 0600
	if _, err := l.TryLockContext(ctx, pollInterval); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil { // it ended during the last try
		l.Unlock()
		return nil, err
	}
	return func() { l.Unlock() }, nil
}
