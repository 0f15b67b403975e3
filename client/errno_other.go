//go:build !windows

package client

import "syscall"

// The errors of a connection that was cut, and of a port on which nobody listens.
var (
	cutErrors    = []error{syscall.ECONNRESET, syscall.EPIPE}
	nobodyErrors = []error{syscall.ECONNREFUSED}
)
