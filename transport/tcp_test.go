package transport

import (
	"errors"
	"math"
	"net"
	"testing"
	"time"
)

// TestGathering has what has come delivered at once; the next read waits for the tick, unless it is to hurry or the
// connection is closed.
func TestGathering(t *testing.T) {
	dialled, accepted := accepted(t, "tcp")
	g := dialled.(*gathering)
	g.tick = math.MaxInt64
	p := make([]byte, 100)
	g.Hurry(true)
	for range 2 {
		if _, err := accepted.Write([]byte("little")); err != nil {
			t.Fatal(err)
		}
		if n, err := g.Read(p); string(p[:n]) != "little" || err != nil {
			t.Fatalf("read %q, %v", p[:n], err)
		}
	}
	g.Hurry(false)
	if _, err := accepted.Write([]byte("more")); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		n, err := g.Read(p)
		if n > 0 {
			err = errors.New("read before the tick")
		}
		ended <- err
	}()
	select {
	case err := <-ended:
		t.Fatal(err)
	case <-time.After(50 * time.Millisecond):
	}
	g.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// hurried is a connection that is told how to read.
type hurried struct {
	net.Conn
	on bool
}

func (c *hurried) Hurry(on bool) { c.on = on }

// TestHurryBelow: what wraps a connection passes on what it is told.
func TestHurryBelow(t *testing.T) {
	raw := &hurried{}
	for _, c := range []net.Conn{raw, &tlsConn{raw: raw}, &zstdConn{Conn: raw}} {
		for _, on := range []bool{true, false} {
			if setHurry(c, on); raw.on != on {
				t.Errorf("%T passes on %v", c, raw.on)
			}
		}
	}
}
