//go:build unix

package main

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/apivideo/api.video-go-oauth2/internal/childtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSignalEndsProgramWithSummary(t *testing.T) {
	program, err := childtest.Build(t.TempDir(), ".")
	require.NoError(t, err)
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		cmd := exec.Command(program)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		child := childtest.Start(t, cmd)
		stall(t, try(t, child.Line()+"\n"+child.Line()))
		require.NoError(t, child.Process.Signal(signal))
		assert.Empty(t, child.Rest())
		require.NoError(t, child.Wait(), "it ends with status 0")
		assert.Contains(t, stderr.String(), strings.Replace(summary, "1 (with", "2 (with", 1), "the unfinished call counts")
	}
}

// stall begins a request that is never finished.
func stall(t *testing.T, baseURL string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(baseURL, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	_, err = io.WriteString(conn, "POST /auth/api-key HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n")
	require.NoError(t, err)
	_, err = conn.Read(make([]byte, 1)) // of the 100 Continue: the request is being served
	require.NoError(t, err)
}
