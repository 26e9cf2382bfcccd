package childtest_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/apivideo/api.video-go-oauth2/internal/childtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const variable = "CHILDTEST_ECHO"

// A child prints the variable, one line of its input, and how much follows.
func TestMain(m *testing.M) {
	said, isChild := os.LookupEnv(variable)
	if !isChild {
		os.Exit(m.Run())
	}
	input := bufio.NewReader(os.Stdin)
	fmt.Println(said)
	line, _ := input.ReadString('\n')
	rest, _ := io.ReadAll(input)
	fmt.Printf("%s%d\nend", line, len(rest))
	os.Exit(7)
}

func TestChildTalksWithItsTest(t *testing.T) {
	c := childtest.Start(t, childtest.Self(variable+"=hello"))
	assert.Equal(t, "hello", c.Line())
	io.WriteString(c.Input, "one\ntwo")
	require.NoError(t, c.Input.Close())
	assert.Equal(t, "one", c.Line())
	assert.Equal(t, "3\nend", c.Rest())
	c.Wait()
	assert.Equal(t, 7, c.ProcessState.ExitCode())
}

func TestChildEndsWithItsTest(t *testing.T) {
	var c *childtest.Child
	t.Run("starts it", func(t *testing.T) {
		c = childtest.Start(t, childtest.Self(variable+"=hello"))
		c.Line() // it waits for its input now
	})
	require.NotNil(t, c.ProcessState)
	assert.NotEqual(t, 7, c.ProcessState.ExitCode(), "it was killed")
}

func TestBuildMakesAProgram(t *testing.T) {
	source := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(source, "go.mod"), []byte("module example.com/made-up\n"), 0o600))
	_, err := childtest.Build(t.TempDir(), source)
	assert.ErrorContains(t, err, "no Go files in "+source)
	main := []byte("package main\n\nfunc main() { println(`built`) }\n")
	require.NoError(t, os.WriteFile(filepath.Join(source, "main.go"), main, 0o600))
	program, err := childtest.Build(t.TempDir(), source)
	require.NoError(t, err)
	assert.FileExists(t, program)
}
