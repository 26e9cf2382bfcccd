//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"testing"

	"github.com/apivideo/api.video-go-oauth2/internal/childtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An interrupt ends the built program with the status that shells expect.
func TestSignalEndsDemoWithStatus130(t *testing.T) {
	t.Parallel()
	program, err := childtest.Build(t.TempDir(), ".")
	require.NoError(t, err)
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "APIVIDEO_API_KEY=")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	child := childtest.Start(t, cmd)
	assert.Equal(t, "apivideo: an ordinary http.Client that needs no token code", child.Line())
	require.NoError(t, child.Process.Signal(os.Interrupt))
	rest := child.Rest()
	child.Wait()
	assert.Equal(t, 130, child.ProcessState.ExitCode())
	assert.Equal(t, "quickstart: interrupted\n", stderr.String())
	assert.NotContains(t, rest, "Summary")
}
