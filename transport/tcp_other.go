//go:build !linux

package transport

import "net"

func tune(c net.Conn) net.Conn { return c }

func widen(*net.TCPConn) {}

func wakeFrom(*net.TCPConn, int) {}

type wayBack struct{}

func (*wayBack) isNarrow(*net.TCPConn) bool { return false }
