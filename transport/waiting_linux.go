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

// outOfOrder is about how many bytes have come to a TCP socket behind some that are missing. The system tells
// only what memory all takes that has come: about twice as many bytes.
func outOfOrder(socket syscall.RawConn) int {
	inOrder, _ := waiting(socket)
	return max(received(socket)/2-inOrder, 0)
}

// received is the memory that a socket needs for what has come, in bytes; 0 if it is not told
// (SK_MEMINFO_RMEM_ALLOC, sock_diag(7)).
func received(socket syscall.RawConn) (n int) {
	_ = socket.Control(func(fd uintptr) { n, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MEMINFO) })
	return n
}
