package transport

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// lookBackEvery is short: once they wait, as much as a link's queue holds of them is in the way.
const lookBackEvery = 20 * time.Millisecond

// wayBack finds out whether acknowledgements wait on their way to the sender: one for two packets
// takes a sixtieth of what comes, and some links carry less upwards. Then the round trip that the
// receiver sees grows. A full queue on the way down looks alike: there fewer acknowledgements do no
// harm, and cost the client a wake-up for each packet.
type wayBack struct {
	looked time.Time
	narrow bool // for good: with all acknowledgements they would wait again
}

// isNarrow looks at the connection now and then.
func (w *wayBack) isNarrow(c *net.TCPConn) bool {
	if now := time.Now(); !w.narrow && now.Sub(w.looked) >= lookBackEvery {
		w.looked = now
		_ = control(c, func(fd int) {
			if info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
				w.narrow = acksWait(info.Min_rtt, info.Rcv_rtt)
			}
		})
	}
	return w.narrow
}

// acksWait judges by a connection's shortest round trip and the one that its receiver sees, both in
// µs. On a path of less than a millisecond, which is a network of its own, they never do.
func acksWait(least, now uint32) bool { return least >= 1000 && now > least+least/2+20_000 }
