package main

import "os"

// forwarded: Windows sends Ctrl+C to the program itself.
func forwarded() []os.Signal { return []os.Signal{os.Interrupt} }

func fromTerminal(os.Signal) bool { return true }

// hasTerminal: Windows sends no SIGHUP.
func hasTerminal() bool { return false }
