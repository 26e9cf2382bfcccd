package filestore

import (
	"errors"
	"syscall"
)

const openFlags = 0

const errSharingViolation syscall.Errno = 32

// inUse reports whether another process has the file open, so that it cannot be
// replaced, or is replacing it, so that it cannot be opened.
func inUse(err error) bool {
	return errors.Is(err, errSharingViolation) || errors.Is(err, syscall.ERROR_ACCESS_DENIED)
}
