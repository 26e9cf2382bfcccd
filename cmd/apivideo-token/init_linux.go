package main

import (
	"os"
	"os/signal"
	"syscall"
)

// supervise is for PID 1, as in a container: orphans become its children, and
// stay zombies until it waits for them. It starts this program once more as its
// child, passes on signals and reaps, so that nobody but the child waits for the
// program of run. It returns the child's status, or false if this is not PID 1.
func supervise() (status int, done bool) {
	if os.Getpid() != 1 {
		return 0, false
	}
	name, err := os.Executable()
	if err != nil {
		return 0, false // without /proc
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, forwarded()...)
	child, err := os.StartProcess(name, os.Args, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		return 0, false
	}
	go func() {
		for s := range signals {
			if !fromTerminal(s) {
				child.Signal(s)
			}
		}
	}()
	return reap(child.Pid), true
}

// reap waits for children until the one with this PID has ended, and returns its
// status. The system ends the others with PID 1.
func reap(pid int) int {
	for {
		var ws syscall.WaitStatus
		switch ended, err := syscall.Wait4(-1, &ws, 0, nil); {
		case err == syscall.EINTR:
		case err != nil:
			return statusOther // it cannot happen: the child has not ended
		case ended == pid && ws.Signaled():
			return statusSignal + int(ws.Signal())
		case ended == pid && ws.Exited():
			return ws.ExitStatus()
		}
	}
}
