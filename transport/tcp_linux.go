package transport

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// unsentLow is how much a socket may hold that it has not sent yet, in bytes.
// What is in the socket can no longer be cancelled, so it is short; long
// enough that the sender need not wake for every packet.
const unsentLow = 128 << 10

// tuneListener sets what accepted sockets inherit. The system may not know
// an option; then it is as fast as it is.
func tuneListener(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentLow)
	})
}
