package server

import (
	"net"
	"time"
)

// What a socket holds unsent can no longer be cancelled, so it is worth no
// more than unsentTime at the connection's rate; bytes.
const (
	minUnsent  = 16 << 10 // and at first
	maxUnsent  = 512 << 10
	unsentTime = 25 * time.Millisecond
	paceTime   = 100 * time.Millisecond // a rate is measured over so long
)

// pace keeps a connection's unsent queue short, where the transport can.
type pace struct {
	set    func(bytes int) error // nil: the transport cannot
	unsent int
	since  time.Time // of the measurement; zero: nothing was sent since the last pause
	sent   int
}

func newPace(conn net.Conn) pace {
	c, ok := conn.(interface{ SetUnsent(bytes int) error })
	if !ok || c.SetUnsent(minUnsent) != nil {
		return pace{}
	}
	return pace{set: c.SetUnsent, unsent: minUnsent}
}

// pause says that there was nothing to send: that time does not count.
func (p *pace) pause() { p.since = time.Time{} }

// wrote takes note of n bytes that the socket has taken.
func (p *pace) wrote(n int, now time.Time) {
	if p.set == nil {
		return
	}
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
		_ = p.set(want) // a socket that refuses stays as it is
	}
}
