package listen_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// In the test's own process a listener that accepts nothing plays a process that
// is stopped.
func TestListenLeavesSocketOfStoppedOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sock")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	require.NoError(t, unix.Bind(fd, &unix.SockaddrUnix{Name: path}))
	require.NoError(t, unix.Listen(fd, 0))
	for range 3 { // until its queue is full
		client, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
		require.NoError(t, err)
		t.Cleanup(func() { unix.Close(client) })
		unix.Connect(client, &unix.SockaddrUnix{Name: path})
	}
	_, err = open(t, "unix:"+path)
	assert.EqualError(t, err, "address already in use")
	assert.FileExists(t, path)
}
