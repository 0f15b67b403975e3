package client

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// What Windows calls these errors of a socket: package syscall's E-numbers are Go's
// own there, which only the transports' errors have.
var (
	cutErrors    = []error{syscall.ECONNRESET, syscall.EPIPE, windows.WSAECONNRESET, windows.WSAECONNABORTED}
	nobodyErrors = []error{syscall.ECONNREFUSED, windows.WSAECONNREFUSED}
)
