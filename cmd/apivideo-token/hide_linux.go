package main

import (
	"math"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// hide keeps the memory, the environment and the descriptors of this process
// from other processes of its user, such as the program behind run. Root still
// reads them.
func hide() {
	// It fails for no process.
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}

// keepDescriptors has a program inherit standard input, output and error only,
// as under sudo: another descriptor may lead to the API key.
func keepDescriptors() {
	if unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return
	}
	open, err := os.ReadDir("/proc/self/fd") // before Linux 5.11
	if err != nil {
		return
	}
	for _, f := range open {
		if fd, err := strconv.Atoi(f.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
}
