package balance

import "time"

const (
	wideWindow = 1 << 20               // bytes under way on one lane; its ends may have no room for more
	fullWindow = 2 << 20               // bytes: they hardly can have; Linux lets a stream have 2.8 MB under way
	nearbyRTT  = 20 * time.Millisecond // a shorter round trip is more of the machines than of the path
)

// widen returns by what to multiply a server's lanes in a trial because each has window bytes under
// way, 1 if they have not. What a stream carries in a round trip, or in two when a packet is lost, its
// sender and its receiver must have room for, and systems bound that (4 MB on Linux): on a wide,
// long path it is what holds the stream back, however steady its rate is.
func (b *Balancer) widen(s *server, window float64) int {
	rtt := s.shortest()
	one, _ := s.last().since(s.mark)
	if rtt < nearbyRTT || one*rtt.Seconds() < window*float64(s.want) || b.behind(s.lanes) {
		return 1
	}
	return 2
}
