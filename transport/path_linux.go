package transport

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	lookEvery = 100 * time.Millisecond
	looks     = 10 // remembered
	// chances is how many lossy samples without a queue tell of a path that loses by chance.
	chances = 2
	// mostBurst bounds what burst says, µs.
	mostBurst = 4000
	// longPath is the round trip from which losses cost more than BBR's pacing, µs.
	longPath = 100
)

// path finds out whether a connection's window is what holds it back though no queue
// on the way is full. That has two reasons. A loss-based congestion control on a path that
// loses packets by chance carries about MSS/RTT × 1.2/√p however wide the link is (Mathis
// et al., ACM CCR 27(3), 1997). And one that has left slow start too early, or whose link has
// got faster since, takes seconds to grow. BBR (Cardwell et al., ACM Queue 14(5), 2016) measures
// what the link carries instead. So the sender asks for BBR there, and only there:
// elsewhere the system's choice is the better one. Where nothing was lost yet it starts
// slow start again first, which fills no queue to find the end of it.
type path struct {
	looked  time.Time
	again   bool // slow start was started again
	asked   bool
	begun   bool
	retrans uint32
	samples [looks]sample // the latest one first
}

// near reports whether the path is so short that BBR would cost more than what is lost on it. The handshake
// has measured it.
func near(fd int) bool {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && info.Rtt > 0 && info.Rtt < longPath
}

// sample is what a look has found.
type sample struct {
	rtt  uint32 // smoothed, µs
	cwnd uint32 // packets; 0: unknown, or the window was not what held the connection back
	rate uint64 // delivered, bytes/s
	lost bool   // packets since the look before
}

// remedy is what helps a connection whose window holds it back.
type remedy int

const (
	none remedy = iota
	slowStart
	bbr
)

// look looks at the connection and does what helps it.
func (p *path) look(fd int) {
	if p.asked {
		return
	}
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return
	}
	switch p.judge(info) {
	case slowStart:
		_ = throughBBR(fd)
	case bbr:
		// A system without it, or that does not allow it, keeps its own.
		_ = setCongestion(fd, "bbr")
	}
}

// judge takes a sample and tells what would help.
func (p *path) judge(info *unix.TCPInfo) remedy {
	p.add(info)
	switch {
	case info.Min_rtt < longPath:
		return none
	case p.leftEarly(info):
		p.again = true
		p.samples = [looks]sample{} // what slow start adds to the window is no creeping
		return slowStart
	case p.heldBack(info.Min_rtt, burst(info)):
		p.asked = true
		return bbr
	}
	return none
}

// add takes a sample.
func (p *path) add(info *unix.TCPInfo) {
	if !p.begun {
		p.begun, p.retrans = true, info.Total_retrans // of the handshake, which tells nothing of the path yet
	}
	now := sample{rtt: info.Rtt, rate: info.Delivery_rate, lost: info.Total_retrans > p.retrans}
	p.retrans = info.Total_retrans
	starting := info.Snd_cwnd < info.Snd_ssthresh
	if !starting && info.Unacked >= info.Snd_cwnd/4*3 {
		now.cwnd = info.Snd_cwnd
	}
	copy(p.samples[1:], p.samples[:])
	p.samples[0] = now
}

// leftEarly reports whether slow start has ended, for the first time and without a loss, though
// two round trips later there is no queue at all: what ended it was not the link.
func (p *path) leftEarly(info *unix.TCPInfo) bool {
	if p.again || info.Total_retrans > 0 {
		return false
	}
	trips := 2 * time.Duration(info.Min_rtt) * time.Microsecond
	return p.quiet(info.Min_rtt+info.Min_rtt/32) >= min(max(int(trips/lookEvery), 2), looks)
}

// heldBack reports whether the window holds the connection back though no queue is full. least
// is its shortest round trip, burst how long one takes, µs.
func (p *path) heldBack(least, burst uint32) bool {
	if p.samples[0].lost {
		short := least + max(least/4, burst)
		return p.queueless(short) || p.chance(short) >= chances
	}
	return p.creeps(least + least/4)
}

// burst is how long the path takes for as many packets as may follow each other without a queue,
// as the sender sends them and the receiver acknowledges them in bunches; µs.
func burst(info *unix.TCPInfo) uint32 {
	const packets = 4
	return uint32(min(packets*uint64(info.Snd_mss)*1e6/max(info.Delivery_rate, 1), mostBurst))
}

// queueless reports whether no round trip was longer than short, in µs, which is little more
// than the shortest one: then every queue was short all the time.
func (p *path) queueless(short uint32) bool {
	for _, s := range p.samples {
		if s.rtt > short {
			return false
		}
	}
	return true
}

// chance returns at how many looks packets had been lost while the round trip was, before
// and after, not longer than short, in µs: the path loses them by chance then. One time may be
// the repair of what a full queue lost.
func (p *path) chance(short uint32) int {
	n := 0
	for i, s := range p.samples[:looks-1] {
		if s.lost && s.rtt <= short && p.samples[i+1].rtt <= short {
			n++
		}
	}
	return n
}

// creeps reports whether the window has grown by an eighth out of slow start, all the time in use and with no
// round trip longer than short, in µs, and what is delivered has grown with it, not the round trip, as it would on
// a full link (Little's law).
func (p *path) creeps(short uint32) bool {
	now := p.samples[0]
	return slices.ContainsFunc(p.samples[:p.quiet(short)], func(s sample) bool {
		return now.cwnd >= s.cwnd+s.cwnd/8 && now.rtt <= s.rtt+s.rtt/32 && now.rate >= s.rate+s.rate/16
	})
}

// quiet returns at how many of the latest looks, without a break, the window was in use out
// of slow start and the round trip not longer than short, in µs.
func (p *path) quiet(short uint32) int {
	n := slices.IndexFunc(p.samples[:], func(s sample) bool { return s.cwnd == 0 || s.rtt > short })
	if n < 0 {
		return looks
	}
	return n
}
