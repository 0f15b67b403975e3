package transport

import (
	"io"
	"net"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// tcpConn is a TCP connection that sends a file well: by sendfile, from an
// unsent queue that can be kept short, and with the congestion control that the path needs.
type tcpConn struct {
	*net.TCPConn
	hardy bool
	path  path
}

// tune wraps an accepted connection.
func tune(c net.Conn) net.Conn {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return c
	}
	tuned := &tcpConn{TCPConn: t}
	_ = tuned.control(func(fd int) { tuned.hardy = hasBBR(fd) })
	return tuned
}

// Hardy reports whether the connection's sender does not take every lost
// packet for a full link.
func (c *tcpConn) Hardy() bool { return c.hardy }

// hasBBR finds out whether a new connection could ask for BBR later.
func hasBBR(fd int) bool {
	was, err := unix.GetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION)
	if err != nil {
		return false
	}
	was = strings.TrimRight(was, "\x00")
	if unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, "bbr") != nil {
		return false
	}
	return was == "bbr" || unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, was) == nil
}

// SetUnsent bounds how much the socket may hold that it has not sent yet, in
// bytes (TCP_NOTSENT_LOWAT, tcp(7)). What is in the socket can no longer be
// cancelled.
func (c *tcpConn) SetUnsent(bytes int) error {
	var set error
	err := c.control(func(fd int) {
		set = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, bytes)
	})
	if err != nil {
		return err
	}
	return set
}

// ReadFrom sends what r reads, by sendfile where r is a file, and looks after
// the path now and then. Only one goroutine may send.
func (c *tcpConn) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.TCPConn.ReadFrom(r)
	c.lookNowAndThen(err)
	return n, err
}

// Write is as ReadFrom: what is encrypted or compressed comes this way.
func (c *tcpConn) Write(p []byte) (int, error) {
	n, err := c.TCPConn.Write(p)
	c.lookNowAndThen(err)
	return n, err
}

func (c *tcpConn) lookNowAndThen(failed error) {
	if now := time.Now(); failed == nil && now.Sub(c.path.looked) >= lookEvery {
		c.path.looked = now
		_ = c.control(c.path.look) // a socket that cannot be asked stays as it is
	}
}

func (c *tcpConn) control(f func(fd int)) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { f(int(fd)) })
}

const (
	lookEvery = 100 * time.Millisecond
	looks     = 8
	// longPath is the round trip from which losses cost more than BBR's pacing, µs.
	longPath = 3000
)

// path finds out whether a path loses packets though no queue on it is full.
// A loss-based congestion control then carries about MSS/RTT × 1.2/√p however
// wide the link is (Mathis et al., ACM CCR 27(3), 1997); BBR (Cardwell et al., ACM
// Queue 14(5), 2016) does not take every lost packet for a full link. So the sender
// asks for BBR there, and only there: elsewhere the system's choice is the better one.
type path struct {
	looked  time.Time
	asked   bool
	retrans uint32
	rtts    [looks]uint32 // the latest smoothed round trips, µs
	next    int
}

// look takes a sample of the connection and asks for BBR if it tells of such losses.
func (p *path) look(fd int) {
	if p.asked {
		return
	}
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err == nil && p.lossy(info) {
		p.asked = true
		// A system without it, or that does not allow it, keeps its own.
		_ = unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, "bbr")
	}
}

// lossy takes a sample and reports whether packets were lost since the one before
// while the round trip, and so every queue, was short all the time.
func (p *path) lossy(info *unix.TCPInfo) bool {
	lost := info.Total_retrans > p.retrans
	p.retrans = info.Total_retrans
	p.rtts[p.next] = info.Rtt
	p.next = (p.next + 1) % looks
	if !lost || info.Min_rtt < longPath {
		return false
	}
	for _, rtt := range p.rtts {
		if rtt > info.Min_rtt+info.Min_rtt/4 {
			return false
		}
	}
	return true
}
