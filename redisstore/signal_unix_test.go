//go:build unix

package redisstore_test

import "syscall"

// freeze stops the server: it keeps its connections and answers none.
func (s *redisServer) freeze() { s.process.Signal(syscall.SIGSTOP) }

// thaw lets a frozen server go on.
func (s *redisServer) thaw() { s.process.Signal(syscall.SIGCONT) }
