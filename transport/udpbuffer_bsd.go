//go:build darwin || freebsd

package transport

import (
	"net"

	"golang.org/x/sys/unix"
)

const bufferAdvice = "as root: sysctl -w kern.ipc.maxsockbuf=8441037"

// growBuffers asks for socket buffers of size bytes and returns what the
// smaller of them is. These systems refuse a size that is too large instead of giving less.
func growBuffers(c *net.UDPConn, size int) (got int) {
	for n := size; n > 64<<10 && c.SetReadBuffer(n) != nil; n /= 2 {
	}
	for n := size; n > 64<<10 && c.SetWriteBuffer(n) != nil; n /= 2 {
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return size
	}
	got = size
	raw.Control(func(fd uintptr) {
		for _, option := range []int{unix.SO_RCVBUF, unix.SO_SNDBUF} {
			if n, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, option); err == nil {
				got = min(got, n)
			}
		}
	})
	return got
}
