// Package filestore shares api.video tokens between the processes of one
// machine, in a folder of files.
//
// Command-line tools and cron jobs start again and again. With this Store they
// have a token at once, and all of them together make one auth call an hour:
//
//	conf := &apivideo.Config{
//		APIKey: os.Getenv("APIVIDEO_API_KEY"),
//		Store:  filestore.New("/var/lib/my-app/api.video"),
//	}
//
// A command-line tool should use a folder in [os.UserCacheDir].
//
// # Files
//
// The folder has two files for each account: the value and an empty lock file.
// Their names are derived from the API key and do not reveal it. Package
// apivideo encrypts the value. You may delete the files while no program uses
// them; that costs one auth call. Do not delete a lock file in use: two
// processes may then renew at once.
//
// The folder must be on a local disk. On network file systems locks are
// unreliable and reads may hang; each process would then get its own token.
//
// # Permissions
//
// The folder is for the processes of one user. The package makes it with mode
// 0700, and files with mode 0600. A folder that exists keeps its mode. It may
// be writable for everybody, as volumes of containers are: other users can then
// delete the files, but learn no token. On Windows the folder's permissions
// apply.
//
// What cannot be a value counts as missing and is replaced: a folder, a link, a
// pipe, a device, or a file of more than 64 KiB. So is a file that this user may
// not open, for example one that a run as root left there. The same goes for lock
// files. A lock file of another user, or one that others may open, is replaced
// too: its lock would block this user. Links are never followed. A folder with
// content is renamed, not deleted. Update fails if the permissions of the folder
// do not allow the replacement, for example because of the sticky bit.
//
// Some file systems show one owner and one mode for all files. There, a lock file
// of another user cannot be told from one of this user, and is respected.
//
// The package is tested on Linux. For macOS and Windows it is only compiled and
// vetted.
package filestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Store is an apivideo.Store in a folder. It is safe for concurrent use. Any
// number of Stores, in one process or in several, may use one folder. The
// methods of a nil Store and of the zero Store return errors.
type Store struct{ dir string }

// New returns a Store in the folder dir. The first Update makes the folder, and
// the folders above it, if they do not exist. A relative dir is looked up from
// the working directory at each call.
//
// New checks nothing. If dir is empty, the methods return errors.
func New(dir string) *Store { return &Store{dir} }

// Load implements apivideo.Store. It does not wait for an Update. It does not
// notice when ctx ends while it reads.
func (s *Store) Load(ctx context.Context, key string) ([]byte, error) {
	path, err := s.path(ctx, key)
	if err != nil {
		return nil, err
	}
	return read(path)
}

// Update implements apivideo.Store. The lock is the operating system's. It is
// released when the process that holds it ends, even if it is killed. It cannot
// be lost before that, so fn gets ctx, and what fn returns is stored even if ctx
// has ended. A value of more than 64 KiB is an error.
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

// path returns the file of key, or an error if the call cannot be served. A key
// that is not lower-case hexadecimal could lead out of the folder, or name the
// lock file of another key.
func (s *Store) path(ctx context.Context, key string) (string, error) {
	switch {
	case s == nil || s.dir == "":
		return "", errors.New("filestore: there is no folder; make the Store with filestore.New(folder)")
	case ctx.Err() != nil:
		return "", fmt.Errorf("filestore: %w", ctx.Err())
	case key == "" || strings.Trim(key, "0123456789abcdef") != "":
		return "", fmt.Errorf("filestore: the key %.20q is not lower-case hexadecimal", key)
	}
	return filepath.Join(s.dir, key), nil
}
