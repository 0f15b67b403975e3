package transport

import (
	"encoding/binary"
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// trainSize is the most that the kernel hands out at once, in bytes.
const trainSize = 64 << 10

// joined is a UDP socket from which datagrams come that the kernel has joined (UDP_GRO,
// udp(7)), so that a fast stream costs one system call, and one way through
// the kernel, for dozens of packets. quic-go reads it by ReadBatch, from one goroutine.
type joined struct {
	quietSocket
	train   []byte
	control [128]byte // as much as quic-go has room for
	from    netip.AddrPort
	addr    *net.UDPAddr // the same
	rest    []byte       // of train, what has not been handed out yet
	size    int          // of each datagram in rest, bytes; the last one may be shorter
	about   []byte       // control messages that hold for all of rest
}

// socketFor is what quic-go is to use: a joined socket, where the system has such.
func socketFor(udp *net.UDPConn) net.PacketConn {
	failed := error(unix.EINVAL)
	_ = control(udp, func(fd int) { failed = unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1) })
	if failed != nil {
		return &quietSocket{UDPConn: udp}
	}
	return &joined{quietSocket: quietSocket{UDPConn: udp}, train: make([]byte, trainSize)}
}

// ReadBatch waits for datagrams and puts one into each message, as far as they go.
func (j *joined) ReadBatch(messages []ipv4.Message, _ int) (int, error) {
	if len(j.rest) == 0 {
		if err := j.read(); err != nil {
			return 0, err
		}
	}
	n := 0
	for n < len(messages) && (len(j.rest) > 0 || n == 0) {
		m := &messages[n]
		size := min(j.size, len(j.rest))
		m.N = copy(m.Buffers[0], j.rest[:size])
		m.NN = copy(m.OOB, j.about)
		m.Addr = j.addr
		j.rest = j.rest[size:]
		n++
	}
	return n, nil
}

// read waits for the next train.
func (j *joined) read() error {
	n, controls, _, from, err := j.ReadMsgUDPAddrPort(j.train, j.control[:])
	if err != nil {
		return err
	}
	if from != j.from || j.addr == nil {
		j.from, j.addr = from, net.UDPAddrFromAddrPort(from)
	}
	j.rest, j.about = j.train[:n], j.control[:controls]
	j.size = datagramSize(j.about, n)
	return nil
}

// datagramSize finds the size of the datagrams in a train of n bytes.
func datagramSize(control []byte, n int) int {
	for len(control) > 0 {
		h, body, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			break
		}
		if h.Level == unix.SOL_UDP && h.Type == unix.UDP_GRO && len(body) >= 4 {
			if size := int(binary.NativeEndian.Uint32(body)); size > 0 {
				return size
			}
		}
		control = rest
	}
	return n
}
