package filestore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

const (
	maxValue = 64 << 10 // bytes; most values have a few thousand

	// maxTries limits how often to try again, every pollInterval, while
	// another process prevents opening or replacing a file.
	maxTries = 50
)

// errUnusable reports something that is not a regular file, or that this user
// may not open.
var errUnusable = errors.New("not a file that this user may open")

// read returns the content of a file, or nil if there is none. Anything that
// cannot be a value counts as none: write will replace it.
func read(path string) (value []byte, err error) {
	f, err := open(path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errUnusable) {
		return nil, nil
	}
	if err == nil {
		defer f.Close()
		value, err = io.ReadAll(io.LimitReader(f, maxValue+1))
	}
	if err != nil {
		return nil, fmt.Errorf("filestore: %w", err)
	}
	if len(value) > maxValue {
		return nil, nil
	}
	return value, nil
}

// open opens a regular file. It follows no link and waits for no pipe.
func open(path string, flag int) (f *os.File, err error) {
	err = patiently(func() error {
		info, err := os.Lstat(path) // because to open a device can have effects
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return errUnusable
		}
		f, err = os.OpenFile(path, flag|openFlags, 0)
		if denied(err) {
			err = errors.Join(errUnusable, err)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() { // replaced since Lstat
		f.Close()
		return nil, errors.Join(errUnusable, err)
	}
	return f, nil
}

// write replaces what is at path. Others read the old content or the new, even
// after a crash. The caller has the lock.
func write(path string, value []byte) error {
	if len(value) > maxValue {
		return fmt.Errorf("filestore: a value of %d bytes is too long; the limit is %d", len(value), maxValue)
	}
	temporary := path + ".tmp"
	err := writeNew(temporary, value)
	if info, statErr := os.Lstat(path); err == nil && statErr == nil && info.IsDir() {
		err = remove(path) // a rename replaces anything else
	}
	if err == nil {
		err = patiently(func() error { return os.Rename(temporary, path) })
	}
	if err != nil {
		os.Remove(temporary)
		return fmt.Errorf("filestore: %w", err)
	}
	return nil
}

// writeNew writes a new file. It removes what a killed process left at path.
func writeNew(path string, value []byte) error {
	if err := remove(path); err != nil {
		return err
	}
	f, err := create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(value)
	if err == nil {
		err = f.Sync() // or a crash may leave the new name with no content
	}
	return errors.Join(err, f.Close())
}

// create creates a file that did not exist: another user may have put one there.
func create(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// remove removes what is at path, if anything. A folder with content is
// renamed: the content may be somebody's data.
func remove(path string) error {
	err := os.Remove(path)
	if err == nil || errors.Is(err, fs.ErrNotExist) || os.Rename(path, path+"."+rand.Text()) == nil {
		return nil
	}
	return err
}

// patiently repeats f while another process has the file open.
func patiently(f func() error) (err error) {
	for range maxTries {
		if err = f(); !inUse(err) {
			break
		}
		<-time.After(pollInterval)
	}
	return err
}
