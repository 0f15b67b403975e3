package balance

import (
	"math"
	"slices"
	"time"
)

const (
	window = 1 << 20               // bytes under way on one lane; its ends may have no room for more
	nearby = 20 * time.Millisecond // a shorter round trip is more of the machines than of the path
)

// widen opens more lanes to a server that has a lot under way. What a stream carries in a round trip, or in two
// when a packet is lost, its sender and its receiver must have room for, and systems bound that (4 MB on
// Linux): on a wide, long path it is what holds the stream back, however steady its rate is.
func (b *Balancer) widen(s *server) {
	rtt := s.shortest()
	n := min(int(math.Ceil(s.carried()*rtt.Seconds()/window)), b.cfg.MaxStreams)
	switch {
	case n <= s.want || rtt < nearby || s.trial || s.opening > 0 || s.active() < s.want:
	case b.free.count == 0 || b.Left() < max(time.Second, 10*rtt):
	case s.silent() || slices.ContainsFunc(s.lanes, func(l *lane) bool { return b.cfg.Behind(l.id) }):
	default:
		s.want = n
		b.open(s, n-s.active())
	}
}

// shortest is the shortest round trip of the lanes: what the path takes without queues.
func (s *server) shortest() time.Duration {
	t := s.lanes[0].rtt
	for _, l := range s.lanes {
		t = min(t, l.rtt)
	}
	return t
}
