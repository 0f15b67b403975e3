package transport

import (
	"context"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/quic-go/quic-go"
)

// quicSocket is a UDP socket and what quic-go runs on it.
type quicSocket struct {
	udp  *net.UDPConn
	quic *quic.Transport

	// Of a listening one alone, under the transport's mu: its key, the
	// listener and the connections that use it, and whether the listener is open.
	key   string
	users int
	open  bool
}

func (s *quicSocket) close() {
	s.quic.Close()
	s.udp.Close()
}

// listenOn binds a socket, or takes one over that a closed listener has left
// to its last connections: so a server that is started again gets its port at once.
func (t *quicTransport) listenOn(ctx context.Context, addr string) (*quicSocket, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.listening[addr]; s != nil && !s.open {
		s.open = true
		s.users++
		return s, nil
	}
	var lc net.ListenConfig
	pc, err := lc.ListenPacket(ctx, family("udp", addr), addr)
	if err != nil {
		return nil, err
	}
	s := t.newSocket(pc.(*net.UDPConn))
	s.key, s.users, s.open = addr, 1, true
	if strings.HasSuffix(addr, ":0") {
		s.key = pc.LocalAddr().String()
	}
	t.listening[s.key] = s
	return s, nil
}

func (t *quicTransport) retain(s *quicSocket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.users++
}

// release closes a listening socket that nobody uses any more.
func (t *quicTransport) release(s *quicSocket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.users--; s.users == 0 {
		delete(t.listening, s.key)
		s.close() // under mu, so that the port is free when the key is
	}
}

func (t *quicTransport) stopListening(s *quicSocket) {
	t.mu.Lock()
	s.open = false
	t.mu.Unlock()
	t.release(s)
}

// quicBuffer is the size of socket buffers that quic-go asks for, in bytes.
// What the system counts for itself is in it.
const quicBuffer = 7 << 20

// newSocket sets the buffers of a socket and gives it to quic-go.
func (t *quicTransport) newSocket(udp *net.UDPConn) *quicSocket {
	t.checkBuffer(growBuffers(udp, quicBuffer))
	return &quicSocket{udp: udp, quic: &quic.Transport{Conn: socketFor(udp)}}
}

// checkBuffer tells the user, once, when the system allows less than is good.
func (t *quicTransport) checkBuffer(got int) {
	if got < quicBuffer {
		t.narrow.Do(func() {
			t.warn(fmt.Sprintf("the system allows quic only %d KiB of socket buffer where %d would be good: a fast link may lose packets; %s",
				got>>10, quicBuffer>>10, bufferAdvice))
		})
	}
}

// quietSocket keeps quic-go from growing the buffers itself, and from writing
// to the standard logger when it cannot. It has no option for that: but a socket that
// cannot be inspected yet, and says that its buffers are set, is taken at its word.
type quietSocket struct {
	*net.UDPConn
	asked bool // for the second of the two buffers
}

func (s *quietSocket) SetReadBuffer(int) error { return nil }

func (s *quietSocket) SetWriteBuffer(int) error {
	s.asked = true
	return nil
}

func (s *quietSocket) SyscallConn() (syscall.RawConn, error) {
	if !s.asked {
		return nil, syscall.EAGAIN
	}
	return s.UDPConn.SyscallConn()
}
