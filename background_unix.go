//go:build unix

package main

import (
	"os/signal"
	"syscall"
)

// stayInBackground lets "braid server … &" in a terminal go on: its console asks for a line, for
// which the system would stop it. The read fails instead.
func stayInBackground() { signal.Ignore(syscall.SIGTTIN) }
