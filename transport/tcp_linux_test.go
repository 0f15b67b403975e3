package transport

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// below is the TCP connection under an accepted one.
func below(c net.Conn) *tcpConn {
	switch c := c.(type) {
	case *tcpConn:
		return c
	case *tlsConn:
		return below(c.raw)
	case zstdHalfConn:
		return below(c.Conn)
	}
	return nil
}

// TestWrappersKeepTheSender: whatever is put on top of TCP, its sender looks after the
// path, keeps a short queue and tells whether it is hardy.
func TestWrappersKeepTheSender(t *testing.T) {
	for _, name := range []string{"tcp", "tls", "tcp+zstd", "tls+zstd"} {
		t.Run(name, func(t *testing.T) {
			_, c := accepted(t, name)
			tcp := below(c)
			if tcp == nil {
				t.Fatalf("no TCP below %T", c)
			}
			if !tcp.Here() {
				t.Error("a peer on this machine is taken for one elsewhere")
			}
			if _, told := c.(interface{ Here() bool }); told != (name == "tcp") {
				t.Errorf("tells that its peer is here: %v; what is encrypted or compressed comes no faster for it", told)
			}
			for _, hardy := range []bool{true, false} {
				if tcp.hardy = hardy; isHardy(c) != hardy {
					t.Errorf("Hardy is %v, want that of TCP, %v", isHardy(c), hardy)
				}
			}
			systems := unsentOf(t, tcp)
			for _, here := range []bool{true, false} {
				want := 1 << 20
				if tcp.here = here; here {
					want = systems
				}
				if err := setUnsent(c, 1<<20); err != nil {
					t.Error(err)
				}
				if got := unsentOf(t, tcp); got != want {
					t.Errorf("TCP_NOTSENT_LOWAT is %d where the peer is here: %v; want %d", got, here, want)
				}
			}
			if _, err := c.Write([]byte("a")); err != nil {
				t.Error(err)
			}
			if tcp.path.samples[0].rtt == 0 {
				t.Error("nobody has looked at the path")
			}
		})
	}
	for _, name := range []string{"quic", "quic+zstd"} {
		_, c := accepted(t, name)
		if isHardy(c) {
			t.Errorf("%s: hardy, though its sender takes every loss for a full link", name)
		}
		if err := setUnsent(c, 1); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v, want errors.ErrUnsupported", name, err)
		}
	}
}

// unsentOf is a connection's TCP_NOTSENT_LOWAT.
func unsentOf(t *testing.T, c *tcpConn) (bytes int) {
	t.Helper()
	var err error
	control(c.TCPConn, func(fd int) { bytes, err = unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT) })
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

// TestAwaitUnsent: a sender that is not heard waits until its peer has read, or its time is over;
// one on the same machine does not wait.
func TestAwaitUnsent(t *testing.T) {
	for _, name := range []string{"tcp", "tls", "tcp+zstd", "tls+zstd"} {
		t.Run(name, func(t *testing.T) {
			peer, c := accepted(t, name)
			if err := setUnsent(c, 16<<10); err != nil {
				t.Fatal(err)
			}
			for full := 0; full < 3; { // a busy machine may be late though something fits
				c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
				if _, err := c.Write(noise(64 << 10)); err == nil {
					full = 0
					continue
				}
				full++
			}
			if err := awaitUnsent(c); err != nil {
				t.Errorf("here: %v", err)
			}
			below(c).here = false
			c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
			if err := awaitUnsent(c); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("unread: %v, want a passed deadline", err)
			}
			go io.Copy(io.Discard, peer)
			c.SetWriteDeadline(time.Now().Add(10 * time.Second))
			if err := awaitUnsent(c); err != nil {
				t.Errorf("read: %v", err)
			}
		})
	}
}

// TestPacing: a connection inside this machine never sees BBR, whatever the system's congestion control is,
// as that would leave it paced; one to another machine has the system's.
func TestPacing(t *testing.T) {
	for _, system := range []string{"bbr", "reno", "cubic"} {
		for host, here := range map[string]bool{"127.0.0.1": true, "127.0.0.2": false} {
			t.Run(system+" "+host, func(t *testing.T) {
				l, err := net.Listen("tcp", host+":0")
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				tcp := l.(*net.TCPListener)
				var refused error
				if err := control(tcp, func(fd int) { refused = setCongestion(fd, system) }); err != nil {
					t.Fatal(err)
				}
				if refused != nil {
					t.Skip(system, "is not to be had here:", refused)
				}
				ln := tcpListener{tcp, withoutPacing(tcp)}
				peer, err := net.Dial("tcp", ln.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer peer.Close()
				accepted, err := ln.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer accepted.Close()
				want := system
				if here && system == "bbr" {
					want = unpaced
				}
				c, got := accepted.(*tcpConn), ""
				control(c.TCPConn, func(fd int) { got = congestion(fd) })
				if c.here != here || got != want {
					t.Errorf("here is %v, the congestion control %q; want %v and %q", c.here, got, here, want)
				}
				if here && !c.hardy {
					t.Error("not hardy, though nothing is lost inside one machine")
				}
			})
		}
	}
}

// TestWidened: a connection to another machine has room for a wide window, and its reader still
// wakes for a byte.
func TestWidened(t *testing.T) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/tcp_rmem")
	if err != nil {
		t.Fatal(err)
	}
	var least, first, most int
	if _, err := fmt.Sscan(string(text), &least, &first, &most); err != nil {
		t.Fatal(err)
	}
	want := min(wide, most/2)
	for host, wider := range map[string]bool{"127.0.0.1": false, "127.0.0.2": true} {
		ln, err := tcp{}.Listen(t.Context(), host+":0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		c, err := tcp{}.Dial(t.Context(), ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		room, mark := receives(t, c)
		if (room >= want) != wider || mark != 1 {
			t.Errorf("%s: room for %d bytes, wakes for %d; want %d or more: %v", host, room, mark, want, wider)
		}
	}
}

// TestRestWakesNobody: while a reader rests, the system is to acknowledge what comes and tell
// nobody; afterwards a byte wakes the reader again.
func TestRestWakesNobody(t *testing.T) {
	dialled, _ := accepted(t, "tcp")
	g := dialled.(*gathering)
	g.tick = math.MaxInt64
	rested := make(chan struct{})
	go func() { g.rest(); close(rested) }()
	for mark := 1; mark == 1; time.Sleep(time.Millisecond) {
		_, mark = receives(t, g)
	}
	g.closed <- struct{}{} // wakes it as Close does
	<-rested
	if _, mark := receives(t, g); mark != 1 {
		t.Errorf("after the rest %d bytes wake the reader", mark)
	}
}

// receives is what a connection's socket may hold for its reader, and how much of it
// wakes it; bytes.
func receives(t *testing.T, c net.Conn) (room, mark int) {
	t.Helper()
	err := control(c.(*gathering).TCPConn, func(fd int) {
		room, _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
		mark, _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVLOWAT)
	})
	if err != nil {
		t.Fatal(err)
	}
	return room, mark
}

func TestSameHost(t *testing.T) {
	addr := func(s string) net.Addr {
		a, err := net.ResolveTCPAddr("tcp", s)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"127.0.0.1:1", "127.0.0.1:2", true},
		{"10.0.0.1:1", "10.0.0.1:2", true},
		{"[::ffff:10.0.0.1]:1", "10.0.0.1:2", true},
		{"[fe80::1]:1", "[fe80::1]:2", true},
		{"10.0.0.1:1", "10.0.0.2:1", false},
	} {
		if got := sameHost(addr(test.a), addr(test.b)); got != test.want {
			t.Errorf("%s and %s: %v", test.a, test.b, got)
		}
	}
	if sameHost(&net.UnixAddr{}, &net.UnixAddr{}) {
		t.Error("no TCP, and on one machine")
	}
}

// TestTwoWriters: net.Conn allows them, and both look after the path. The race detector watches.
func TestTwoWriters(t *testing.T) {
	_, accepted := accepted(t, "tcp")
	var writers sync.WaitGroup
	for range 2 {
		writers.Go(func() { below(accepted).lookNowAndThen(nil) })
	}
	writers.Wait()
}
