//go:build !linux

package transport

import "syscall"

// waiting knows nothing: the reads must tell.
func waiting(syscall.RawConn) (n int, known bool) { return 0, false }

// outOfOrder knows nothing.
func outOfOrder(syscall.RawConn) int { return 0 }
