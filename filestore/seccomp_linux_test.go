package filestore_test

import (
	"runtime"
	"syscall"
	"unsafe"
)

// failSync makes fsync fail with EIO in this thread, from now on.
func failSync() error {
	const (
		setNoNewPrivs = 38 // PR_SET_NO_NEW_PRIVS, without which only root may set a filter
		setSeccomp    = 22 // PR_SET_SECCOMP
		filterMode    = 2  // SECCOMP_MODE_FILTER
		fail          = 0x00050000
		allow         = 0x7fff0000
	)
	filter := []syscall.SockFilter{
		{Code: syscall.BPF_LD | syscall.BPF_W | syscall.BPF_ABS}, // the number of the system call
		{Code: syscall.BPF_JMP | syscall.BPF_JEQ | syscall.BPF_K, Jf: 1, K: syscall.SYS_FSYNC},
		{Code: syscall.BPF_RET | syscall.BPF_K, K: fail | uint32(syscall.EIO)},
		{Code: syscall.BPF_RET | syscall.BPF_K, K: allow},
	}
	program := syscall.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setNoNewPrivs, 1, 0); errno != 0 {
		return errno
	}
	_, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setSeccomp, filterMode, uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(filter)
	if errno != 0 {
		return errno
	}
	return nil
}
