//go:build !linux

package transport

import "net"

func (tcpListener) tune(c net.Conn) net.Conn { return c }

func withoutPacing(*net.TCPListener) string { return "" }

func widen(*net.TCPConn) {}

func wakeFrom(*net.TCPConn, int) {}

type wayBack struct{}

func (*wayBack) isNarrow(*net.TCPConn) bool { return false }
