package server

import (
	"net"
	"testing"

	"braid/wire"
)

// placed is a connection that knows whether its peer is on this machine.
type placed struct {
	net.Conn
	here bool
}

func (c placed) Here() bool { return c.here }

// Messages are short at first, so that a cancel is soon heeded, but not to a peer that is near.
func TestFirstFrame(t *testing.T) {
	for _, c := range []struct {
		what string
		conn net.Conn
		want int
	}{
		{"does not say where its peer is", nil, minFrame},
		{"has a peer elsewhere", placed{here: false}, minFrame},
		{"has a peer on this machine", placed{here: true}, wire.MaxData},
	} {
		if p := newPace(c.conn); p.frame() != c.want {
			t.Errorf("one that %s: messages of %d bytes, want %d", c.what, p.frame(), c.want)
		}
	}
}
