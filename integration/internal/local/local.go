// Package local runs apivideo-standin for the tests of programs in other languages.
package local

import (
	"bufio"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// Standin runs the built stand-in until the test ends, and returns the environment
// of its clients: first the base URL, then the API key.
func Standin(t *testing.T, program string) (env []string) {
	t.Helper()
	cmd := exec.Command(program, "-quiet")
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	lines := bufio.NewScanner(stdout)
	for range 2 {
		require.True(t, lines.Scan())
		env = append(env, lines.Text())
	}
	return env
}
