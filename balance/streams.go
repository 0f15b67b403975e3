package balance

import (
	"slices"
	"time"
)

const (
	proof      = 64 << 10 // bytes by which a lane shows that it is better than a silent one
	bins       = 4        // samples of a server's rate that are compared
	unsteady   = 0.3      // spread of the samples, relative to their mean, that more lanes might help
	worthLane  = 1.2      // growth of the server's rate that justifies twice the lanes
	greatGain  = 1.5      // growth after which the number is taken times four
	trialPause = 20 * time.Second
)

// server is what the lanes to one server have in common, and the search for
// the right number of them.
//
// One stream under a loss-based congestion control carries MSS/RTT × 1.2/√p at
// a loss of p (Mathis et al. 1997), however wide the link is; several carry
// several times that. On a link that is full, more of them carry nothing more.
// The two look different from here: a full link delivers at a steady rate, a
// window that is cut by random loss (or is still growing, after the link got
// faster) does not. So a trial starts only when the rate is unsteady; its
// result decides whether the lanes stay.
type server struct {
	no      int
	lanes   []*lane
	want    int // lanes that it should have
	opening int // of these, under way
	retryAt time.Time
	retries int

	bytes  int64 // received
	binAt  time.Time
	binned int64
	rates  []float64 // the latest samples, bytes/s

	trial   bool
	before  int     // lanes before the trial
	was     float64 // bytes/s before it
	settled time.Time
	from    int64 // bytes when the measurement began
	began   time.Time
	failed  int
	rest    time.Time // no trial before
}

func (s *server) joined(l *lane, now time.Time) {
	s.lanes = append(s.lanes, l)
	if s.opening > 0 {
		s.opening--
		s.retries = 0
	}
	s.unsettle()
}

func (s *server) left(l *lane) {
	if i := slices.Index(s.lanes, l); i >= 0 {
		s.lanes = slices.Delete(s.lanes, i, i+1)
	}
	s.unsettle()
}

// unsettle drops the samples, because the lanes have changed.
func (s *server) unsettle() {
	s.rates, s.binAt, s.settled = s.rates[:0], time.Time{}, time.Time{}
}

func (s *server) received(n int) { s.bytes += int64(n) }

func (s *server) notOpened(now time.Time) {
	if s.opening > 0 {
		s.opening--
		s.retries++
		s.retryAt = now.Add(min(time.Second<<min(s.retries, 6), time.Minute))
	}
}

// rtt is the longest round trip of the lanes in use.
func (s *server) rtt() (t time.Duration) {
	for _, l := range s.lanes {
		t = max(t, l.rtt)
	}
	return t
}

// streams sees to it, now and then, that each server has as many lanes as it
// should.
func (b *Balancer) streams() {
	if b.now.Before(b.tend) {
		return
	}
	b.tend = b.now.Add(2 * b.interval())
	for _, s := range b.serverList {
		b.drain(s)
		b.thin(s)
		if n := s.active(); n > 0 {
			if s.opening > 0 && b.now.After(s.retryAt) {
				s.opening = 0 // lost track of: neither joined nor reported
			}
			if n+s.opening < s.want && !b.now.Before(s.retryAt) {
				b.open(s, s.want-n-s.opening)
			}
			if b.cfg.MaxStreams > b.cfg.MinStreams {
				b.seek(s)
			}
		}
	}
}

// streamsNext is when streams has something to do though nothing happens.
func (b *Balancer) streamsNext() time.Time { return b.tend }

// active is the number of lanes that are not about to be closed.
func (s *server) active() (n int) {
	for _, l := range s.lanes {
		if !l.retiring {
			n++
		}
	}
	return n
}

func (b *Balancer) open(s *server, n int) {
	s.opening += n
	s.retryAt = b.now.Add(max(3*time.Second, 8*s.rtt()))
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
				proved = proved || l.fresh >= proof
				if least == nil || l.got <= least.got {
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

// retire gives a lane no more work, and takes back what its server has not
// sent yet.
func (b *Balancer) retire(l *lane) {
	l.retiring = true
	l.retired = b.now
	sent := sendQueue + int64(b.rate(l)*(l.rtt+lead).Seconds())
	pos := -l.partial
	for _, r := range slices.Clone(l.reqs) {
		keep := r.keep
		for i := range r.keep {
			if r.state[i]&landed == 0 {
				pos += b.size(r.run.First + i)
			}
			if pos > sent {
				keep = i
				break
			}
		}
		b.cut(l, r, keep)
	}
	b.survey.stale = true
	b.touchAll()
}

// drain closes lanes that were retired and have delivered the rest.
func (b *Balancer) drain(s *server) {
	for _, l := range slices.Clone(s.lanes) {
		if l.retiring && (len(l.reqs) == 0 || l.silent || b.now.Sub(l.retired) > 3*time.Second) {
			b.close(l)
		}
	}
}

func (b *Balancer) close(l *lane) {
	b.orders = append(b.orders, Order{Kind: Close, Lane: l.id, Server: l.server.no})
	b.retract(l)
	b.remove(l)
}

// seek looks for the number of lanes that a server is worth.
func (b *Balancer) seek(s *server) {
	if b.free.count == 0 || s.silent() {
		// Too late to measure anything, or nothing to be measured.
		s.unsettle()
		return
	}
	if s.trial {
		b.judge(s)
		return
	}
	b.sample(s)
	if len(s.rates) < bins || b.now.Before(s.rest) || s.want >= b.cfg.MaxStreams || s.opening > 0 {
		return
	}
	low, high, sum := slices.Min(s.rates), slices.Max(s.rates), 0.0
	for _, r := range s.rates {
		sum += r
	}
	mean := sum / bins
	if high-low < unsteady*mean || b.Left() < time.Second {
		return
	}
	b.try(s, mean, 2*s.want)
}

func (s *server) silent() bool {
	for _, l := range s.lanes {
		if l.silent {
			return true
		}
	}
	return false
}

// sample notes the server's rate over the last stretch of time.
func (b *Balancer) sample(s *server) {
	if s.bytes == 0 {
		return
	}
	if s.binAt.IsZero() {
		if s.settled.IsZero() {
			s.settled = b.now.Add(max(6*s.rtt(), 300*time.Millisecond))
		}
		if !b.now.Before(s.settled) {
			s.binAt, s.binned = b.now, s.bytes
		}
		return
	}
	if dt := b.now.Sub(s.binAt); dt >= max(2*s.rtt(), 100*time.Millisecond) {
		if len(s.rates) == bins {
			s.rates = slices.Delete(s.rates, 0, 1)
		}
		s.rates = append(s.rates, float64(s.bytes-s.binned)/dt.Seconds())
		s.binAt, s.binned = b.now, s.bytes
	}
}

// try starts a trial with n lanes; was is the rate without it.
func (b *Balancer) try(s *server, was float64, n int) {
	s.trial, s.was, s.before = true, was, s.want
	s.want = min(n, b.cfg.MaxStreams)
	s.began = time.Time{}
	s.unsettle()
	b.open(s, s.want-s.before)
}

// judge ends a trial: the rate after the new lanes' start is held against the
// rate before it.
func (b *Balancer) judge(s *server) {
	if s.opening > 0 {
		return
	}
	if s.settled.IsZero() {
		s.settled = b.now.Add(max(3*s.rtt(), 150*time.Millisecond))
		s.began = time.Time{}
	}
	if b.now.Before(s.settled) {
		return
	}
	if s.began.IsZero() {
		s.began, s.from = b.now, s.bytes
		return
	}
	dt := b.now.Sub(s.began)
	if dt < max(4*s.rtt(), 300*time.Millisecond) {
		return
	}
	rate := float64(s.bytes-s.from) / dt.Seconds()
	switch n := s.active(); {
	case n > s.before && rate >= worthLane*s.was && s.want < b.cfg.MaxStreams:
		s.want = n
		if rate >= greatGain*s.was {
			b.try(s, rate, 4*n)
		} else {
			b.try(s, rate, 2*n)
		}
	case n > s.before && rate >= worthLane*s.was:
		s.want, s.trial, s.failed = n, false, 0
		s.unsettle()
	default:
		s.want, s.trial = s.before, false
		s.rest = b.now.Add(trialPause << min(s.failed, 6))
		s.failed++
		s.unsettle()
	}
}
