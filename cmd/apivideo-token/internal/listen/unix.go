//go:build unix

package listen

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"syscall"
)

// listenUnix makes the socket with mode 0600. It replaces a socket that an
// ended process left behind: nobody can connect to it. Another error, such as
// EAGAIN, shows an owner that is busy or stopped.
func listenUnix(path string) (net.Listener, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode().Type() != fs.ModeSocket:
		return nil, errors.New("there is a file that is not a socket")
	default:
		conn, err := net.Dial("unix", path)
		if err == nil {
			conn.Close()
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return nil, syscall.EADDRINUSE
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	// Not chmod: before it, other users could connect.
	defer syscall.Umask(syscall.Umask(0o177))
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, Cause(err)
	}
	return l, nil
}
