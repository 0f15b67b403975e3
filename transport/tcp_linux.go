package transport

import (
	"net"

	"golang.org/x/sys/unix"
)

// tcpConn is a TCP connection whose unsent queue can be kept short.
type tcpConn struct{ *net.TCPConn }

// SetUnsent bounds how much the socket may hold that it has not sent yet, in
// bytes (TCP_NOTSENT_LOWAT, tcp(7)). What is in the socket can no longer be
// cancelled.
func (c tcpConn) SetUnsent(bytes int) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	if err := raw.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, bytes)
	}); err != nil {
		return err
	}
	return set
}

// tune wraps an accepted connection; sendfile still works on it, as ReadFrom
// is that of *net.TCPConn.
func tune(c net.Conn) net.Conn {
	if t, ok := c.(*net.TCPConn); ok {
		return tcpConn{t}
	}
	return c
}
