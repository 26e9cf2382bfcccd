//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSignalEndsProgramWithSummary(t *testing.T) {
	program := build(t)
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		cmd := exec.Command(program)
		stdout := make(lines, 10)
		var stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = stdout, &stderr
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { cmd.Process.Kill() })
		try(t, stdout.two(t))
		require.NoError(t, cmd.Process.Signal(signal))
		require.NoError(t, cmd.Wait(), "it ends with status 0")
		assert.Equal(t, summary, stderr.String())
		assert.Empty(t, stdout)
	}
}
