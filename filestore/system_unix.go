//go:build unix

package filestore

import "syscall"

// openFlags keep an open from following a link and from waiting for the other
// end of a pipe.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// inUse reports whether another process prevents opening or replacing a file,
// which happens on Windows only.
func inUse(error) bool { return false }
