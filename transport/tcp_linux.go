package transport

import (
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// tcpConn is a TCP connection that sends a file well: by sendfile, from an
// unsent queue that can be kept short, and with the congestion control that the path needs.
type tcpConn struct {
	*net.TCPConn
	hardy bool
	here  bool // the peer is on this machine

	looking sync.Mutex
	path    path
}

// tune wraps what l has accepted. A connection to another machine gets the system's congestion control. If
// it is not near, it is taken through BBR, which tells whether it may have that, and leaves it paced: its bursts
// overflow no short queue. Inside this machine there is none, nothing is lost, and each packet's timer costs
// as much as copying it: such a connection never sees BBR, as none becomes unpaced again.
func (l tcpListener) tune(c net.Conn) net.Conn {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return c
	}
	here := sameHost(c.LocalAddr(), c.RemoteAddr())
	tuned := &tcpConn{TCPConn: t, here: here, hardy: here}
	if !here {
		_ = control(t, func(fd int) {
			if l.congestion != "" && congestion(fd) == unpaced { // else a route has chosen
				_ = setCongestion(fd, l.congestion)
			}
			tuned.hardy = near(fd) || throughBBR(fd)
		})
	}
	return tuned
}

// unpaced is a congestion control that every system has and every user may choose.
const unpaced = "reno"

// withoutPacing has what a listener accepts begin unpaced, and returns the system's congestion control,
// or nothing where that does not pace.
func withoutPacing(l *net.TCPListener) (was string) {
	_ = control(l, func(fd int) {
		if c := congestion(fd); strings.HasPrefix(c, "bbr") && setCongestion(fd, unpaced) == nil {
			was = c
		}
	})
	return was
}

// congestion is the congestion control of a socket, and nothing where it cannot be told.
func congestion(fd int) string {
	name, err := unix.GetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION)
	if err != nil {
		return ""
	}
	return strings.TrimRight(name, "\x00")
}

func setCongestion(fd int, name string) error {
	return unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, name)
}

// Hardy reports whether the connection's sender does not take every lost
// packet for a full link.
func (c *tcpConn) Hardy() bool { return c.hardy }

// Here reports whether the peer is on this machine.
func (c *tcpConn) Here() bool { return c.here }

// throughBBR takes a connection to BBR and back, and reports whether it may have it. That
// forgets where slow start ended, so that it starts again from the present window.
func throughBBR(fd int) bool {
	was := congestion(fd)
	if was == "" || setCongestion(fd, "bbr") != nil {
		return false
	}
	if was != "bbr" {
		// Where a user may not have the system's own back, it stays with BBR.
		_ = setCongestion(fd, was)
	}
	return true
}

// sameHost reports whether two ends of a connection are on one machine.
func sameHost(a, b net.Addr) bool {
	x, ok := a.(*net.TCPAddr)
	y, too := b.(*net.TCPAddr)
	return ok && too && x.IP.Equal(y.IP)
}

// SetUnsent bounds how much the socket may hold that it has not sent yet, in
// bytes (TCP_NOTSENT_LOWAT, tcp(7)). What is in the socket can no longer be
// cancelled. Where the peer is on this machine there is no bound: it costs a wake-up for every few packets.
func (c *tcpConn) SetUnsent(bytes int) error {
	if c.here {
		return nil
	}
	var set error
	err := control(c.TCPConn, func(fd int) {
		set = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, bytes)
	})
	if err != nil {
		return err
	}
	return set
}

// AwaitUnsent waits until the socket holds less unsent than half of what SetUnsent allows. A
// write waits for that only where it begins another packet buffer, and those take up to 64 KiB.
// A peer on this machine is not waited for: nothing is far from it.
func (c *tcpConn) AwaitUnsent() error {
	if c.here {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Write(func(fd uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 0)
		return n > 0 || err != nil // what is wrong is for the next write to tell
	})
}

// ReadFrom sends what r reads, by sendfile where r is a file, and looks after
// the path now and then.
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
	if failed != nil || c.here || !c.looking.TryLock() { // or someone else looks
		return
	}
	defer c.looking.Unlock()
	if now := time.Now(); now.Sub(c.path.looked) >= lookEvery {
		c.path.looked = now
		_ = control(c.TCPConn, c.path.look) // a socket that cannot be asked stays as it is
	}
}

// widen lets the peer's window grow as fast as slow start. The system makes the buffer grow
// with what is read, and what follows a lost packet is not. It also makes it
// large enough for a low-water mark, and leaves it so; SO_RCVBUF would end all growth.
func widen(c *net.TCPConn) {
	if !sameHost(c.LocalAddr(), c.RemoteAddr()) {
		wakeFrom(c, wide)
		wakeFrom(c, 1)
	}
}

// wakeFrom has the system tell of what has come only when it is so many bytes, and acknowledge at
// once what comes before that (SO_RCVLOWAT, socket(7)).
func wakeFrom(c *net.TCPConn, bytes int) {
	_ = control(c, func(fd int) { _ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVLOWAT, bytes) })
}

// control calls f with a socket's file descriptor.
func control(c syscall.Conn, f func(fd int)) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { f(int(fd)) })
}
