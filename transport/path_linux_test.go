package transport

import (
	"maps"
	"math"
	"testing"

	"golang.org/x/sys/unix"
)

// TestJudge plays what TCP says of itself, look by look, to a path of 80 ms.
func TestJudge(t *testing.T) {
	const rtt = 80_000
	info := func(rtt, cwnd, ssthresh, retrans uint32) *unix.TCPInfo {
		return &unix.TCPInfo{Min_rtt: 80_000, Rtt: rtt, Snd_cwnd: cwnd, Snd_ssthresh: ssthresh, Unacked: cwnd, Total_retrans: retrans, Snd_mss: 1448}
	}
	on := func(least uint32, rate uint64, of *unix.TCPInfo) *unix.TCPInfo { // another path: µs, bytes/s
		of.Min_rtt, of.Delivery_rate = least, rate
		return of
	}
	const never = math.MaxInt32 // the threshold of a connection in slow start
	tests := map[string]struct {
		at   func(i uint32) *unix.TCPInfo
		want map[remedy]int // the look that tells
	}{
		"slow start":        {func(i uint32) *unix.TCPInfo { return info(rtt, 10<<min(i, 6), never, 0) }, nil},
		"handshake lost":    {func(i uint32) *unix.TCPInfo { return info(rtt, 10<<min(i, 6), never, 1) }, nil},
		"full link":         {func(i uint32) *unix.TCPInfo { return info(rtt+3*(i+2)*rtt/100, 280+8*i, 280, 0) }, nil},
		"full, then a loss": {func(i uint32) *unix.TCPInfo { return info(rtt*3/2, 400, 280, i/10) }, nil},
		"chance losses":     {func(i uint32) *unix.TCPInfo { return info(rtt+rtt/10, 20, 20, i/10) }, map[remedy]int{bbr: 10}},
		"losses from look 9 on": {func(i uint32) *unix.TCPInfo {
			if i < 9 {
				return info(rtt*3/2, 400, 280, 7)
			}
			return info(rtt+rtt/10, 200-4*i, 200-4*i, 7+i/2)
		}, map[remedy]int{bbr: 12}},
		"repair of an overshoot": {func(i uint32) *unix.TCPInfo {
			if i < 9 {
				return info(rtt*2, 400, never, 100*(i/5))
			}
			return info(rtt+rtt/10, 280, 280, 200)
		}, nil},
		"left too early":   {func(i uint32) *unix.TCPInfo { return info(rtt, 60+4*i, 60, 0) }, map[remedy]int{slowStart: 1, bbr: 4}},
		"too early, a bit": {func(i uint32) *unix.TCPInfo { return info(rtt, 280+i, 280, 0) }, map[remedy]int{slowStart: 1}},
		"creeps after a loss": {func(i uint32) *unix.TCPInfo {
			if i == 0 {
				return info(rtt*2, 60, 60, 1)
			}
			return info(rtt, 60+4*i, 60, 1)
		}, map[remedy]int{bbr: 3}},
		"link got faster": {func(i uint32) *unix.TCPInfo { return info(rtt*2-min(i, 20)*rtt/20, 30+6*i, 30, 1) }, map[remedy]int{bbr: 18}},
		"creeps in bursts": {func(i uint32) *unix.TCPInfo {
			return on(80_000, uint64(i+12)*18_000, info(rtt+rtt/5*(i%2), 12+i, 9, 7))
		}, map[remedy]int{bbr: 2}},
		"only the round trip grows": {func(i uint32) *unix.TCPInfo {
			return on(80_000, 430_000, info(rtt+rtt/100*min(2*i, 24), 24+i/2, 24, 7))
		}, nil},
		"only bursts": {func(i uint32) *unix.TCPInfo {
			return on(80_000, 400_000+uint64(i%3)*30_000, info(rtt+rtt/20*(1+i%2), 24, 24, 7))
		}, nil},
		"full, with a short queue": {func(i uint32) *unix.TCPInfo {
			return on(80_000, 430_000, info(rtt+rtt/50*min(i, 10), 24+i%10, 24, 7))
		}, nil},
		"little to send":       {func(i uint32) *unix.TCPInfo { f := info(rtt, 60+4*i, 60, 0); f.Unacked = 10; return f }, nil},
		"a network of its own": {func(i uint32) *unix.TCPInfo { return on(60, 0, info(80, 60+4*i, 60, i)) }, nil},
		"chance losses, short": {func(i uint32) *unix.TCPInfo { return on(300, 2e6, info(2500, 20, 20, i/10)) }, map[remedy]int{bbr: 10}},
		"full, short and fast": {func(i uint32) *unix.TCPInfo { return on(750, 14e6, info(1800, 20, 20, i)) }, nil},
		"full, short":          {func(i uint32) *unix.TCPInfo { return on(300, 0, info(5000, 20, 20, i/2)) }, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var p path
			got := map[remedy]int{}
			for i := range uint32(40) {
				r := p.judge(test.at(i))
				if _, told := got[r]; r != none && !told {
					got[r] = int(i)
				}
				if p.asked {
					break // nobody looks any more
				}
			}
			if !maps.Equal(got, test.want) {
				t.Errorf("told %v, want %v (%d: slow start again, %d: BBR)", got, test.want, slowStart, bbr)
			}
		})
	}
}
