//go:build !linux

package main

// supervise does nothing: containers run Linux.
func supervise() (status int, done bool) { return 0, false }
