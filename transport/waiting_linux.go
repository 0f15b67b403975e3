package transport

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// waiting is how many bytes wait in a socket for their reader (SIOCINQ, tcp(7)), or in the first of the
// datagrams (udp(7)).
func waiting(socket syscall.RawConn) (n int, known bool) {
	var failed error
	err := socket.Control(func(fd uintptr) { n, failed = unix.IoctlGetInt(int(fd), unix.SIOCINQ) })
	return n, err == nil && failed == nil
}
