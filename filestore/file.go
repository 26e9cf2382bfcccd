package filestore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

const (
	maxValue = 1 << 20 // bytes; a Source's values have a few thousand
	// How often, with pollInterval between, to try again what fails because
	// another process has the file open.
	maxTries = 50
)

// read returns the content of a file, or nil if there is none.
func read(path string) (value []byte, err error) {
	err = patiently(func() error {
		value, err = readOnce(path)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("filestore: %w", err)
	}
	return value, nil
}

func readOnce(path string) ([]byte, error) {
	// Looked at before it is opened, since opening a named pipe may hang.
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	value, err := io.ReadAll(io.LimitReader(f, maxValue+1))
	if err == nil && len(value) > maxValue {
		err = fmt.Errorf("%s has more than %d bytes", path, maxValue)
	}
	return value, err
}

// write replaces the content of a file: who reads it sees the old content or
// the new, even after a crash. The caller has the lock.
func write(path string, value []byte) error {
	if len(value) > maxValue {
		return fmt.Errorf("filestore: a value of %d bytes is too long, %d are allowed", len(value), maxValue)
	}
	temporary := path + ".tmp"
	err := writeNew(temporary, value)
	if err == nil {
		err = patiently(func() error { return os.Rename(temporary, path) })
	}
	if err != nil {
		os.Remove(temporary)
		return fmt.Errorf("filestore: %w", err)
	}
	return nil
}

// writeNew writes a file that is in nobody's way: one of that name was left
// behind by a process that was killed.
func writeNew(path string, value []byte) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(value)
	if err == nil {
		err = f.Sync() // or a crash may leave the new name with no content
	}
	return errors.Join(err, f.Close())
}

// patiently repeats what fails because another process has the file open.
func patiently(f func() error) error {
	for try := 1; ; try++ {
		err := f()
		if err == nil || try == maxTries || !inUse(err) {
			return err
		}
		<-time.After(pollInterval)
	}
}
