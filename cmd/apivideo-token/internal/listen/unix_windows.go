package listen

import (
	"errors"
	"net"
)

// listenUnix: on Windows a socket has no mode that keeps the others out.
func listenUnix(string) (net.Listener, error) {
	return nil, errors.New("a Unix socket cannot be kept private on Windows; use a loopback address")
}
