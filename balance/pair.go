package balance

import (
	"slices"
	"time"
)

const (
	farTrip    = 100 * time.Millisecond // round trip from which a server keeps the lane that was made for its start,
	pairTrips  = 16                     // if there is work for as many of them
	pairShare  = 16 << 20               // and for so many bytes from each server;
	lossShare  = 4 << 20                // for fewer, and from nearbyRTT on, where packets are lost
	lostBytes  = 64 << 10               // out of order: a packet before them was lost
	pairWindow = 1 << 20                // bytes that the second lane may owe while one may be enough
)

// pair has a server keep the lane that was made for its start. Where the path is long, or loses packets, a
// download may be over before a trial has told that two lanes carry more than one. But one stream fills most
// links, and two that grow together overflow a queue that it would not. So the second has a bounded window
// until packets are lost, or the first has as wide a window as it can get, or falls silent.
func (b *Balancer) pair(s *server) {
	l := s.starting()
	if l == nil && s.second == nil {
		return
	}
	lost := slices.ContainsFunc(s.lanes, func(l *lane) bool { return b.outOfOrder(l) >= lostBytes })
	if l != nil && b.worthKeeping(l, lost) {
		l.brief, l.retiring = false, false
		s.want++
		s.second = l
		b.touch(l)
	}
	if s.second != nil && (lost || s.silent() || slices.ContainsFunc(s.lanes, (*lane).full)) {
		b.touch(s.second)
		s.second = nil
	}
}

// starting is the lane that was made for the start, while it may be paired; on a short path it never is.
func (s *server) starting() *lane {
	i := slices.IndexFunc(s.lanes, func(l *lane) bool { return l.brief && l.retired.IsZero() && l.rtt >= nearbyRTT })
	if i < 0 {
		return nil
	}
	return s.lanes[i]
}

// worthKeeping reports whether the server of a lane for the start should keep it.
func (b *Balancer) worthKeeping(l *lane, lost bool) bool {
	share := b.left / b.serverCount()
	switch {
	case b.cfg.MaxStreams <= l.server.want || b.cfg.Crowded():
		return false
	case lost:
		return share >= lossShare
	}
	left := b.timeLeft() // 0: unknown
	return l.rtt >= farTrip && share >= pairShare && (left == 0 || left >= pairTrips*l.rtt)
}

// full reports whether a lane has as many bytes under way as it can.
func (l *lane) full() bool {
	return l.meter.known() && l.meter.high()*l.rtt.Seconds() >= fullWindow
}
