package transport

import (
	"context"
	"errors"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// accepted is the two ends of a connection over the named transport.
func accepted(t *testing.T, name string) (dialled, accepted net.Conn) {
	t.Helper()
	tr, err := Builtin().New(name, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tr.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	result := make(chan outcome, 1)
	go func() {
		c, err := ln.Accept()
		result <- outcome{c, err}
	}()
	dialled, err = tr.Dial(ctx, ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	o := <-result
	if o.err != nil {
		t.Fatal(o.err)
	}
	t.Cleanup(func() {
		dialled.Close()
		o.conn.Close()
		ln.Close()
		closeTransport(tr)
	})
	return dialled, o.conn
}

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
			if !tcp.here {
				t.Error("a peer on this machine is taken for one elsewhere")
			}
			for _, hardy := range []bool{true, false} {
				if tcp.hardy = hardy; isHardy(c) != hardy {
					t.Errorf("Hardy is %v, want that of TCP, %v", isHardy(c), hardy)
				}
			}
			for _, unsent := range []struct {
				here     bool
				ask, set int
			}{{true, 12345, 12345}, {true, 1 << 20, hereUnsent}, {false, 1 << 20, 1 << 20}} {
				tcp.here = unsent.here
				if err := setUnsent(c, unsent.ask); err != nil {
					t.Error(err)
				}
				tcp.control(func(fd int) {
					if got, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT); got != unsent.set || err != nil {
						t.Errorf("TCP_NOTSENT_LOWAT is %d for %+v (%v)", got, unsent, err)
					}
				})
			}
			before := tcp.path.next
			if _, err := c.Write([]byte("a")); err != nil {
				t.Error(err)
			}
			if name == "tcp" || name == "tcp+zstd" { // a handshake has looked already
				if tcp.path.next == before {
					t.Error("a Write has not looked at the path")
				}
			} else if tcp.path.looked.IsZero() {
				t.Error("the path has not been looked at")
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
