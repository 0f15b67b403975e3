package server

import (
	"net"
	"time"

	"braid/wire"
)

// What a socket holds unsent can no longer be cancelled, so it is worth no
// more than unsentTime at the connection's rate; bytes.
const (
	minUnsent  = 16 << 10 // and at first
	maxUnsent  = 512 << 10
	unsentTime = 25 * time.Millisecond
	paceTime   = 20 * time.Millisecond // a rate is measured over so long
)

// minFrame is the size of the smallest DATA messages, in bytes: large ones cost less, but a cancel
// is heeded only between two of them.
const minFrame = 16 << 10

// shortable is a connection whose unsent queue can be kept short.
type shortable interface {
	SetUnsent(bytes int) error
	AwaitUnsent() error
}

// near is a connection that may know its peer to be on this machine.
type near interface{ Here() bool }

// pace keeps a connection's unsent queue short, where the transport can.
type pace struct {
	conn   shortable // nil: the transport cannot
	here   bool      // the peer is on this machine, and takes what it is sent as it comes from the file
	unsent int
	since  time.Time // of the measurement; zero: nothing was sent since the last pause
	sent   int
}

func newPace(conn net.Conn) pace {
	p := pace{unsent: minUnsent}
	if c, ok := conn.(shortable); ok && c.SetUnsent(minUnsent) == nil {
		p.conn = c
	}
	if c, ok := conn.(near); ok {
		p.here = c.Here()
	}
	return p
}

// frame is how large a DATA message should be, in bytes: the socket asks for one when it holds half
// of what it may. On one machine a message takes no time on the way, and small ones cost both sides a
// wake-up each.
func (p *pace) frame() int {
	if p.here {
		return wire.MaxData
	}
	return min(max(p.unsent/2, minFrame), wire.MaxData)
}

// await waits until the socket has room for more.
func (p *pace) await() error {
	if p.conn == nil {
		return nil
	}
	return p.conn.AwaitUnsent()
}

// pause says that there was nothing to send: that time does not count.
func (p *pace) pause() { p.since = time.Time{} }

// wrote takes note of n bytes that the socket has taken.
func (p *pace) wrote(n int, now time.Time) {
	if p.since.IsZero() {
		p.since, p.sent = now, 0
		return
	}
	p.sent += n
	took := now.Sub(p.since)
	if took < paceTime {
		return
	}
	want := int(float64(p.sent) * float64(unsentTime) / float64(took))
	want = min(max(want, minUnsent), maxUnsent)
	p.since, p.sent = now, 0
	if want > p.unsent*5/4 || want < p.unsent*4/5 {
		p.unsent = want
		if p.conn != nil {
			_ = p.conn.SetUnsent(want) // a socket that refuses stays as it is
		}
	}
}
