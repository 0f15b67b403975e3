package transport

import (
	"math"
	"testing"

	"golang.org/x/sys/unix"
)

// TestHeldBack plays what TCP says of itself, look by look, to a path of 80 ms.
func TestHeldBack(t *testing.T) {
	const rtt = 80_000
	info := func(rtt, cwnd, ssthresh, retrans uint32) *unix.TCPInfo {
		return &unix.TCPInfo{Min_rtt: 80_000, Rtt: rtt, Snd_cwnd: cwnd, Snd_ssthresh: ssthresh, Unacked: cwnd, Total_retrans: retrans}
	}
	const never = math.MaxInt32 // the threshold of a connection in slow start
	tests := map[string]struct {
		at   func(i uint32) *unix.TCPInfo
		want int // the look that tells; -1: none
	}{
		"slow start":        {func(i uint32) *unix.TCPInfo { return info(rtt, 10<<min(i, 6), never, 0) }, -1},
		"full link":         {func(i uint32) *unix.TCPInfo { return info(rtt+3*i*rtt/100, 280+8*i, 280, 0) }, -1},
		"full, then a loss": {func(i uint32) *unix.TCPInfo { return info(rtt*3/2, 400, 280, i/10) }, -1},
		"chance losses":     {func(i uint32) *unix.TCPInfo { return info(rtt+rtt/10, 20, 20, i/10) }, 10},
		"losses from look 9 on": {func(i uint32) *unix.TCPInfo {
			if i < 9 {
				return info(rtt*3/2, 400, 280, 7)
			}
			return info(rtt+rtt/10, 200-4*i, 200-4*i, 7+i/2)
		}, 12},
		"repair of an overshoot": {func(i uint32) *unix.TCPInfo {
			if i < 9 {
				return info(rtt*2, 400, never, 100*(i/5))
			}
			return info(rtt+rtt/10, 280, 280, 200)
		}, -1},
		"left too early":       {func(i uint32) *unix.TCPInfo { return info(rtt, 60+4*i, 60, 0) }, 8},
		"steady":               {func(i uint32) *unix.TCPInfo { return info(rtt, 280+i, 280, 0) }, -1},
		"link got faster":      {func(i uint32) *unix.TCPInfo { return info(rtt*2-min(i, 20)*rtt/20, 30+6*i, 30, 0) }, 25},
		"little to send":       {func(i uint32) *unix.TCPInfo { f := info(rtt, 60+4*i, 60, 0); f.Unacked = 10; return f }, -1},
		"a network of its own": {func(i uint32) *unix.TCPInfo { f := info(200, 60+4*i, 60, i); f.Min_rtt = 150; return f }, -1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var p path
			got := -1
			for i := range uint32(40) {
				if p.heldBack(test.at(i)) {
					got = int(i)
					break
				}
			}
			if got != test.want {
				t.Errorf("look %d tells, want %d", got, test.want)
			}
		})
	}
}
