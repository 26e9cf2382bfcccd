// Package childtest runs the processes of tests: built programs, and the test
// binary once more.
package childtest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Build builds the program in the folder source as it is released, into the
// folder dir, and returns its path.
func Build(dir, source string) (program string, err error) {
	folder, err := filepath.Abs(source)
	if err != nil {
		return "", err
	}
	program = filepath.Join(dir, filepath.Base(folder)+".exe") // other systems take any name
	build := exec.Command("go", "build", "-C", folder, "-trimpath", "-buildvcs=false", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return program, nil
}

// Self returns a command that runs the test binary, with additional variables
// in its environment.
func Self(env ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), env...)
	return cmd
}

// Child is a process that runs. It ends with its test at the latest.
type Child struct {
	*exec.Cmd
	Input io.WriteCloser // its standard input

	t      testing.TB
	output *bufio.Reader
}

// Start starts a process. What it writes to standard error is that of the test,
// unless cmd says otherwise.
func Start(t testing.TB, cmd *exec.Cmd) *Child {
	t.Helper()
	if cmd.Stderr == nil {
		cmd.Stderr = os.Stderr
	}
	input, err1 := cmd.StdinPipe()
	output, err2 := cmd.StdoutPipe()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return &Child{cmd, input, t, bufio.NewReader(output)}
}

// Line waits for a line of its standard output and returns it without its end.
// The test fails if there is none.
func (c *Child) Line() string {
	c.t.Helper()
	line, err := c.output.ReadString('\n')
	if err != nil {
		c.t.Fatalf("%s printed %q, then: %v", c.Path, line, err)
	}
	return strings.TrimSuffix(line, "\n")
}

// Rest waits for the end of its standard output and returns what is left
// of it.
func (c *Child) Rest() string {
	c.t.Helper()
	rest, err := io.ReadAll(c.output)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(rest)
}
