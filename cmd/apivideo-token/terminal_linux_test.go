package main

import (
	"bufio"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// In the foreground of a terminal, ^C reaches the program by itself. run cannot
// tell it from kill -INT, so it passes on neither. kill -TERM is passed on.
// Promise: In a terminal, Ctrl+C reaches the program of `run` once, and so does `kill -TERM`.
func TestRunSignalsInTerminal(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	screen, program := terminal(t)
	cmd := u.script(`n=0; trap 'n=$((n+1)); echo "int $n"' INT; trap 'echo term; exit 5' TERM; echo ready; while :; do sleep 0.02 || true; done`)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, cmd.Start())
	require.NoError(t, program.Close()) // so that the end of run ends the read
	lines := bufio.NewScanner(screen)
	next := func() string {
		require.True(t, lines.Scan())
		return strings.TrimPrefix(strings.TrimSpace(lines.Text()), "^C")
	}
	assert.Equal(t, "ready", next())
	_, err := screen.WriteString("\x03")
	require.NoError(t, err)
	assert.Equal(t, "int 1", next())
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT)) // to run, not to its program
	_, err = screen.WriteString("\x03")
	require.NoError(t, err)
	assert.Equal(t, "int 2", next(), "^C arrived once, and kill -INT did not")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	assert.Equal(t, "term", next())
	assert.Error(t, cmd.Wait())
	assert.Equal(t, 5, cmd.ProcessState.ExitCode())
}
