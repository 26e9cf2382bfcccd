package main

import (
	"bytes"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// asInit returns run with a script as PID 1 of a new namespace.
func (u *user) asInit(script string) *exec.Cmd {
	return namespaces(u.t, u.command("run", "--", "sh", "-c", script), "-pf --mount-proc", ":")
}

// Both a zombie and the program itself are children of PID 1.
// Promise: As PID 1 the command waits for orphans, passes on each signal once, and ends with the status of the program.
func TestInitReapsOrphans(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	const script = `
		i=0; while [ $i -lt 20 ]; do (sh -c 'exit 3' & :) ; i=$((i+1)); done
		orphans() { cat /proc/[0-9]*/stat 2>/dev/null | awk '$4 == 1 && $3 == "Z" || /\(sleep\)/' ; }
		(sleep 0.2 & :)
		while [ -n "$(orphans)" ]; do sleep 0.05; done
		exit 7`
	var out, failure bytes.Buffer
	cmd := u.asInit(script)
	cmd.Stdout, cmd.Stderr = &out, &failure
	assert.Error(t, cmd.Run())
	assert.Equal(t, 7, cmd.ProcessState.ExitCode(), failure.String())
}

// Promise: As PID 1 the command waits for orphans, passes on each signal once, and ends with the status of the program.
func TestInitStatusOfProgram(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	for script, status := range map[string]int{"true": 0, "exit 42": 42, "kill -KILL $$": 137, "(exit 9) & wait": 0} {
		cmd := u.asInit(script)
		_ = cmd.Run() // the status is what counts
		assert.Equal(t, status, cmd.ProcessState.ExitCode(), script)
	}
	out, err := namespaces(t, u.command("status"), "-pf --mount-proc", ":").Output()
	require.NoError(t, err)
	assert.Contains(t, string(out), "account ")
}

// Promise: As PID 1 the command waits for orphans, passes on each signal once, and ends with the status of the program.
func TestInitForwardsSignalOnce(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	cmd := u.asInit(`trap 'echo term' TERM; echo ready; n=0; while [ $n -lt 40 ]; do sleep 0.05; n=$((n+1)); done; exit 5`)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	_, rest := u.start(cmd)
	require.NoError(t, syscall.Kill(childOf(t, cmd.Process.Pid), syscall.SIGTERM))
	assert.Equal(t, "term\n", <-rest)
	assert.Error(t, cmd.Wait())
	assert.Equal(t, 5, cmd.ProcessState.ExitCode())
}
