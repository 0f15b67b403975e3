package balance

import (
	"slices"
	"time"
)

const (
	provingBytes = 64 << 10         // by which a lane shows that it is better than a silent one
	startTrips   = 5                // round trips in which a lane for the start is of use
	drainLimit   = 3 * time.Second  // for what a retired lane still sends
	openLimit    = 15 * time.Second // longer than the caller takes to connect and to be greeted
)

// streams sees to it, now and then, that each server has as many lanes as it
// should.
func (b *Balancer) streams() {
	if b.now.Before(b.tend) {
		b.untended = true
		return
	}
	b.tend, b.untended = b.now.Add(2*b.interval()), false
	for _, s := range b.serverList {
		b.pair(s)
		b.drain(s)
		b.thin(s)
		if s.opening > 0 && !b.now.Before(s.retryAt) {
			s.opening = 0 // lost track of: neither joined nor reported
		}
		if n := s.active(); n > 0 {
			if n+s.opening < s.want && !b.now.Before(s.retryAt) {
				b.open(s, s.want-n-s.opening)
			}
			if b.cfg.MaxStreams > b.cfg.MinStreams {
				b.seek(s)
			}
		}
	}
}

// streamsNext is when streams has something to do though nothing happens;
// zero is never.
func (b *Balancer) streamsNext() (next time.Time) {
	for _, s := range b.serverList {
		at := s.due()
		if b.untended && s.changing() || !at.IsZero() && at.Before(b.tend) {
			at = b.tend
		}
		next = sooner(next, at)
	}
	return next
}

// changing reports whether a server has not the lanes that it should have, or may not
// keep those that it has.
func (s *server) changing() bool {
	return s.opening > 0 || s.trial || len(s.lanes) > 0 && len(s.lanes) != s.want
}

// due is when lanes are missing, or retired ones have had their time; zero is never.
func (s *server) due() (at time.Time) {
	if s.opening > 0 || len(s.lanes) > 0 && s.active() < s.want {
		at = s.retryAt
	}
	for _, l := range s.lanes {
		if l.retiring {
			at = sooner(at, l.leaves())
		}
	}
	return at
}

func (s *server) notOpened(now time.Time) {
	if s.opening > 0 {
		s.opening--
		s.backOff(now)
	}
}

// backOff puts off the next lane that is missing, for longer each time.
func (s *server) backOff(now time.Time) {
	s.retries++
	s.retryAt = now.Add(min(time.Second<<min(s.retries, 6), time.Minute))
}

func (b *Balancer) open(s *server, n int) {
	n = min(n, b.cfg.MaxStreams-len(s.lanes)-s.opening)
	if n <= 0 {
		return
	}
	s.opening += n
	s.retryAt = b.now.Add(max(openLimit, 8*s.rtt()))
	for range n {
		b.orders = append(b.orders, Order{Kind: Open, Server: s.no})
	}
}

// thin takes out lanes that are too many: a silent one as soon as another has
// proved itself, else (it was revived after all) the one that did least.
func (b *Balancer) thin(s *server) {
	for s.active() > s.want {
		var silent, least *lane
		proved := false
		for _, l := range s.lanes {
			switch {
			case l.retiring:
			case l.silent:
				if silent == nil || l.quietAt.Before(silent.quietAt) {
					silent = l
				}
			default:
				proved = proved || l.fresh >= provingBytes
				if least == nil || b.worth(l) <= b.worth(least) {
					least = l
				}
			}
		}
		switch {
		case silent != nil && proved:
			b.close(silent)
		case silent == nil && proved && least != nil:
			b.retire(least)
		default:
			return
		}
	}
}

// worth is the rate of a lane beside others of its server: one that has shown nothing has none.
func (b *Balancer) worth(l *lane) float64 {
	if !l.meter.known() {
		return 0
	}
	return b.rate(l)
}

// retire gives a lane no more work, and takes back what its server has not
// sent yet.
func (b *Balancer) retire(l *lane) {
	l.retiring = true
	l.retired = b.now
	sent := b.beyondReach(l)
	for _, r := range slices.Clone(l.reqs) {
		b.cut(l, r, max(int((sent-b.before(l, r, 0)+r.came)/b.cfg.SegmentSize), 0))
	}
	b.survey.stale = true
	b.touchAll()
}

// drain closes lanes that are retiring and have delivered the rest.
func (b *Balancer) drain(s *server) {
	for _, l := range slices.Clone(s.lanes) {
		late := !b.now.Before(l.leaves())
		switch {
		case !l.retiring:
		case len(l.reqs) == 0 || l.silent || late && !l.retired.IsZero():
			b.close(l)
		case late:
			b.retire(l)
		}
	}
}

// leaves is when the time of a retiring lane is up: that in which it is of use at the start, and
// then that for the rest.
func (l *lane) leaves() time.Time {
	if l.retired.IsZero() {
		return l.joined.Add(startTrips * l.rtt)
	}
	return l.retired.Add(drainLimit)
}

func (b *Balancer) close(l *lane) {
	b.orders = append(b.orders, Order{Kind: Close, Lane: l.id, Server: l.server.no})
	b.retract(l)
	b.remove(l)
}
