package transport

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestBehindInSocket: the system is asked what waits in the socket. Who sends one large message after the
// other is waited for between them, though the end of each is found at once.
func TestBehindInSocket(t *testing.T) {
	c, accepted := accepted(t, "tcp")
	dialled := c.(*gathering)
	const size = 4 * muchRead
	if _, err := accepted.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	dialled.begin()
	for end := time.Now().Add(patience); !dialled.Behind(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not behind though a message waits")
		}
	}
	dialled.end()
	if _, err := io.ReadFull(dialled, make([]byte, size-1)); err != nil {
		t.Fatal(err)
	}
	dialled.full.Store(size) // as if all had been found at once
	dialled.begin()
	defer dialled.end()
	time.Sleep(waited)
	if dialled.Behind() {
		t.Error("behind with one byte to read")
	}
}

// TestOutOfOrder: what has come in order is not taken for what has not. Nothing is lost on the way to
// this machine, so there is no more to test than that the system tells how much has come.
func TestOutOfOrder(t *testing.T) {
	c, accepted := accepted(t, "tcp")
	dialled := c.(*gathering)
	const size = muchRead
	if _, err := accepted.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if n, _ := waiting(dialled.socket); n == size {
			break
		} else if time.Now().After(end) {
			t.Fatalf("%d of %d bytes have come", n, size)
		}
	}
	if got := received(dialled.socket); got < size {
		t.Errorf("%d bytes have come in %d bytes of memory", size, got)
	}
	if got := dialled.OutOfOrder(); got > size/2 {
		t.Errorf("%d bytes are out of order on a path that loses nothing", got)
	}
	if _, err := io.ReadFull(dialled, make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if got := dialled.OutOfOrder(); got != 0 {
		t.Errorf("%d bytes are out of order when all has been read", got)
	}
}

// lossy is a connection on which so many bytes have come out of order.
type lossy struct {
	net.Conn
	bytes int
}

func (c lossy) OutOfOrder() int { return c.bytes }

// TestOutOfOrderBelow: what wraps a connection passes on what that knows.
func TestOutOfOrderBelow(t *testing.T) {
	for _, below := range []net.Conn{lossy{bytes: 5}, &tlsConn{raw: lossy{bytes: 5}}, &zstdConn{Conn: lossy{bytes: 5}}} {
		if got := outOfOrderOn(below); got != 5 {
			t.Errorf("%T tells of %d bytes", below, got)
		}
	}
}
