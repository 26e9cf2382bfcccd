package filestore

import (
	"errors"
	"syscall"
)

const errSharingViolation syscall.Errno = 32

// inUse reports whether another process has the file open, which on Windows
// keeps it from being replaced, or is replacing it, which keeps it from being
// opened.
func inUse(err error) bool {
	return errors.Is(err, errSharingViolation) || errors.Is(err, syscall.ERROR_ACCESS_DENIED)
}
