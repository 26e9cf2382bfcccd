package filestore

import (
	"errors"
	"syscall"
)

const openFlags = 0

const errSharingViolation syscall.Errno = 32

// inUse reports whether another process prevents opening or replacing the
// file. It may have the file open, or be replacing it.
func inUse(err error) bool {
	return errors.Is(err, errSharingViolation) || errors.Is(err, syscall.ERROR_ACCESS_DENIED)
}
