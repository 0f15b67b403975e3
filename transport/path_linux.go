package transport

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	lookEvery = 100 * time.Millisecond
	looks     = 8
	// chances is how many lossy samples without a queue tell of a path that loses by chance.
	chances = 2
	// longPath is the round trip from which losses cost more than BBR's pacing, µs.
	longPath = 3000
)

// path finds out whether a connection's window is what holds it back though no queue
// on the way is full. That has two reasons. A loss-based congestion control on a path that
// loses packets by chance carries about MSS/RTT × 1.2/√p however wide the link is (Mathis
// et al., ACM CCR 27(3), 1997). And one that has left slow start too early, or whose link has
// got faster since, takes seconds to grow. BBR (Cardwell et al., ACM Queue 14(5), 2016) measures
// what the link carries instead. So the sender asks for BBR there, and only there:
// elsewhere the system's choice is the better one.
type path struct {
	looked  time.Time
	asked   bool
	retrans uint32
	samples [looks]sample // the latest ones
	next    int
}

// sample is what a look has found.
type sample struct {
	rtt  uint32 // smoothed, µs
	cwnd uint32 // packets; 0: unknown, or the window was not what held the connection back
	lost bool   // packets since the look before
}

// look takes a sample of the connection and asks for BBR where it would help.
func (p *path) look(fd int) {
	if p.asked {
		return
	}
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err == nil && p.heldBack(info) {
		p.asked = true
		// A system without it, or that does not allow it, keeps its own.
		_ = unix.SetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION, "bbr")
	}
}

// heldBack takes a sample and reports whether the window holds the connection back
// though no queue is full.
func (p *path) heldBack(info *unix.TCPInfo) bool {
	now := sample{rtt: info.Rtt, lost: info.Total_retrans > p.retrans}
	p.retrans = info.Total_retrans
	slowStart := info.Snd_cwnd < info.Snd_ssthresh
	if !slowStart && info.Unacked >= info.Snd_cwnd/4*3 {
		now.cwnd = info.Snd_cwnd
	}
	then := p.samples[p.next]
	p.samples[p.next] = now
	p.next = (p.next + 1) % looks
	switch {
	case info.Min_rtt < longPath:
		return false
	case now.lost:
		short := info.Min_rtt + info.Min_rtt/4
		return p.queueless(short) || p.chance(short) >= chances
	default:
		return p.creeps(then, now) && p.queueless(info.Min_rtt+info.Min_rtt/8)
	}
}

// queueless reports whether no round trip was longer than most, in µs, which is little more
// than the shortest one: then every queue was short all the time.
func (p *path) queueless(most uint32) bool {
	for _, s := range p.samples {
		if s.rtt > most {
			return false
		}
	}
	return true
}

// chance returns at how many of the samples packets had been lost while the round trip was, before
// and after, not longer than short, in µs: the path loses them by chance then. One time may be
// the repair of what a full queue lost.
func (p *path) chance(short uint32) int {
	n := 0
	before := p.samples[p.next] // the oldest one
	for i := 1; i < looks; i++ {
		s := p.samples[(p.next+i)%looks]
		if s.lost && s.rtt <= short && before.rtt <= short {
			n++
		}
		before = s
	}
	return n
}

// creeps reports whether the window has grown by a third out of slow start, all the
// time in use: on a full link the round trip would have grown with it.
func (p *path) creeps(then, now sample) bool {
	for _, s := range p.samples {
		if s.cwnd == 0 {
			return false
		}
	}
	return then.cwnd > 0 && now.cwnd >= then.cwnd+then.cwnd/3
}
