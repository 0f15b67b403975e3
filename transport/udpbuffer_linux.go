package transport

import (
	"net"

	"golang.org/x/sys/unix"
)

const bufferAdvice = "as root: sysctl -w net.core.rmem_max=7500000 net.core.wmem_max=7500000"

// growBuffers asks for socket buffers of size bytes and returns what the
// smaller of them is. Root gets past the system's limit.
func growBuffers(c *net.UDPConn, size int) (got int) {
	c.SetReadBuffer(size)
	c.SetWriteBuffer(size)
	got = size
	_ = control(c, func(fd int) {
		for _, option := range [][2]int{{unix.SO_RCVBUF, unix.SO_RCVBUFFORCE}, {unix.SO_SNDBUF, unix.SO_SNDBUFFORCE}} {
			n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, option[0])
			if err == nil && n < size {
				_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, option[1], size)
				n, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, option[0])
			}
			if err == nil {
				got = min(got, n)
			}
		}
	})
	return got
}
