//go:build unix

package listen_test

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/apivideo/api.video-go-oauth2/cmd/apivideo-token/internal/listen"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAddressMustBeLoopback(t *testing.T) {
	for _, s := range []string{"127.0.0.1:0", "127.8.8.8:1", "[::1]:8787", "localhost:80", "unix:/a"} {
		at, err := listen.ParseAddress(s)
		assert.NoError(t, err, s)
		assert.Equal(t, s, at.String())
	}
	for _, s := range []string{"", ":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:80", "example.com:80", "127.0.0.1", "unix:", "unix:@a", "evil.localhost:80"} {
		_, err := listen.ParseAddress(s)
		assert.Error(t, err, s)
	}
}

func open(t *testing.T, address string) (*listen.Listener, error) {
	at, err := listen.ParseAddress(address)
	require.NoError(t, err)
	l, err := at.Listen()
	if err == nil {
		t.Cleanup(func() { l.Close() })
	}
	return l, err
}

func TestListenKnowsItsHosts(t *testing.T) {
	l, err := open(t, "127.0.0.1:0")
	require.NoError(t, err)
	port := l.All[0].Addr().(*net.TCPAddr).Port
	assert.Equal(t, fmt.Sprintf("http://127.0.0.1:%d", port), l.URL)
	assert.Equal(t, []string{fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("localhost:%d", port)}, l.Hosts)
	_, err = open(t, l.All[0].Addr().String())
	assert.EqualError(t, err, "bind: address already in use")
}

func TestListenUnixSocketIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sock")
	l, err := open(t, "unix:"+path)
	require.NoError(t, err)
	info, err := os.Lstat(path)
	require.NoError(t, err)
	assert.Equal(t, fs.ModeSocket|0o600, info.Mode())
	_, err = open(t, "unix:"+path)
	assert.EqualError(t, err, "address already in use")

	l.All[0].(*net.UnixListener).SetUnlinkOnClose(false) // as if it was killed
	require.NoError(t, l.Close())
	_, err = open(t, "unix:"+path)
	assert.NoError(t, err, "what is left behind is replaced")

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = open(t, "unix:"+file)
	assert.EqualError(t, err, "there is a file that is not a socket")
	assert.FileExists(t, file)
}

func TestListenLocalhostHoldsBothAddresses(t *testing.T) {
	l, err := open(t, "localhost:0")
	require.NoError(t, err)
	require.Len(t, l.All, 2, "the machine of the tests has IPv6")
	port := l.All[0].Addr().(*net.TCPAddr).Port
	assert.Equal(t, fmt.Sprintf("http://127.0.0.1:%d", port), l.URL)
	for _, host := range []string{"127.0.0.1", "[::1]", "localhost"} {
		assert.Contains(t, l.Hosts, fmt.Sprintf("%s:%d", host, port))
	}
	_, err = net.Listen("tcp", fmt.Sprintf("[::1]:%d", port))
	assert.ErrorIs(t, err, syscall.EADDRINUSE)

	stranger, err := net.Listen("tcp", "[::1]:0")
	require.NoError(t, err)
	defer stranger.Close()
	taken := stranger.Addr().(*net.TCPAddr).Port
	_, err = open(t, fmt.Sprintf("localhost:%d", taken))
	assert.ErrorIs(t, err, syscall.EADDRINUSE)
	again, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", taken))
	require.NoError(t, err, "the other address is free again")
	again.Close()
}
