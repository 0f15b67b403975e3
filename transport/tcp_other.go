//go:build !linux

package transport

import "syscall"

func tuneListener(_, _ string, _ syscall.RawConn) error { return nil }
