package balance

import (
	"math"
	"slices"
	"time"
)

const (
	proof        = 64 << 10 // bytes by which a lane shows that it is better than a silent one
	bins         = 5        // samples of a server's rate that are compared
	unsteady     = 0.3      // spread of the samples, relative to their mean, that more lanes might help
	veryUnsteady = 0.5      // spread at which the first step is from one lane to four
	patience     = 2        // samples in a row that must show it, unless the rate has jumped
	jump         = 1.4      // growth between samples that is a jump
	more         = 1.1      // growth of the mean that goes with it: what a gap held up is no more
	worthLane    = 1.2      // growth of the server's rate that justifies twice the lanes
	greatGain    = 1.5      // growth after which the number is taken times four
	trialPause   = 3 * time.Second
	drainLimit   = 3 * time.Second // for what a retired lane still sends
)

// server is what the lanes to one server have in common, and the search for
// the right number of them.
//
// One stream under a loss-based congestion control carries MSS/RTT × 1.2/√p at
// a loss of p (Mathis et al. 1997), however wide the link is; several carry
// several times that. On a link that is full, more of them carry nothing more.
// The two look different from here: a full link delivers at a steady rate, a
// window that is cut by random loss (or is still growing, after the link got
// faster) does not. So a trial starts only when the rate is unsteady, or the window about as wide as
// systems allow (window.go); its result decides whether the lanes stay.
type server struct {
	no      int
	hardy   bool // loss does not hold its lanes back
	lanes   []*lane
	want    int     // lanes that it should have
	opening int     // of these, under way
	once    float64 // bytes/s, of the latest lane that is gone; 0: unknown
	retryAt time.Time
	retries int

	came  time.Time // when something last came
	until time.Time // what a gap has held up comes until then
	mark  reading   // where the sample that is being taken began
	bytes int64     // received
	rates []reading // the latest samples: their ends
	ready time.Time // no sample before

	seen   time.Time // the latest sample that was looked at
	doubts int       // samples in a row after which the rate was unsteady
	steady float64   // bytes/s while it was steady, just before that; 0: it was not

	trial  bool
	before int     // lanes before the trial
	was    float64 // bytes/s before it
	from   reading // the rate of all servers without it is measured from here
	upTo   reading // to here
	failed int
	rest   time.Time // no trial before
}

// reading is a counter's value at a time: bytes of one server and of all.
type reading struct {
	at         time.Time
	bytes, all int64
}

// since returns the rates from another reading to this one, in bytes/s.
func (r reading) since(o reading) (one, all float64) {
	dt := r.at.Sub(o.at).Seconds()
	return float64(r.bytes-o.bytes) / dt, float64(r.all-o.all) / dt
}

func (s *server) joined(l *lane, now time.Time) {
	s.lanes = append(s.lanes, l)
	if s.opening > 0 {
		if s.opening--; s.opening == 0 {
			s.retryAt = time.Time{}
		}
	}
	s.unsettle()
}

func (s *server) left(l *lane, now time.Time) {
	if now.Sub(l.joined) < time.Second {
		s.backOff(now) // no better than one that could not be opened
	} else {
		s.retries = 0
	}
	if l.meter.known() {
		s.once = max(l.meter.slow.value(0, slowHalf), leastRate)
	}
	if i := slices.Index(s.lanes, l); i >= 0 {
		s.lanes = slices.Delete(s.lanes, i, i+1)
	}
	if s.active() == 0 {
		for _, l := range s.lanes {
			l.retiring = false // it is not too many any more
		}
	}
	s.unsettle()
}

// unsettle drops the samples, because the lanes have changed.
func (s *server) unsettle() {
	s.rates, s.mark, s.ready = s.rates[:0], reading{}, time.Time{}
}

// received counts n bytes. Samples begin and end when bytes come, so that it
// does not matter in what portions they do; but not amid what a gap has held up, which belongs
// to the time of the gap.
func (b *Balancer) received(s *server, n int) {
	s.bytes += int64(n)
	b.bytes += int64(n)
	now := reading{b.now, s.bytes, b.bytes}
	if !s.came.IsZero() && b.now.Sub(s.came) > max(heldUp, s.rtt()*3/2) {
		s.until = b.now.Add(catchUp)
	}
	s.came = b.now
	switch {
	case b.now.Before(s.until):
	case s.ready.IsZero():
		start := max(6*s.rtt(), 300*time.Millisecond)
		if s.trial {
			start = max(3*s.rtt(), 150*time.Millisecond)
		}
		s.ready = b.now.Add(start)
	case b.now.Before(s.ready):
	case s.mark.at.IsZero():
		s.mark = now
	case b.now.Sub(s.last().at) >= max(2*s.rtt(), 100*time.Millisecond):
		if len(s.rates) == bins && !s.trial {
			s.mark = s.rates[0]
			s.rates = slices.Delete(s.rates, 0, 1)
		}
		s.rates = append(s.rates, now)
	}
}

// last is the end of the latest sample.
func (s *server) last() reading {
	if len(s.rates) == 0 {
		return s.mark
	}
	return s.rates[len(s.rates)-1]
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

// carried is what the lanes whose rate is known carried while something came, in bytes/s;
// 0: there is none.
func (s *server) carried() (sum float64) {
	for _, l := range s.lanes {
		if l.meter.known() {
			sum += l.meter.slow.value(0, slowHalf)
		}
	}
	return sum
}

// promise is what a new lane may be expected to carry at most, in bytes/s.
func (s *server) promise() float64 {
	if now := s.carried(); now > 0 {
		return now
	}
	if s.once > 0 {
		return s.once
	}
	return math.Inf(1)
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
		b.untended = true
		return
	}
	b.tend, b.untended = b.now.Add(2*b.interval()), false
	for _, s := range b.serverList {
		b.drain(s)
		b.thin(s)
		if n := s.active(); n > 0 {
			if s.opening > 0 && !b.now.Before(s.retryAt) {
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
			at = sooner(at, l.retired.Add(drainLimit))
		}
	}
	return at
}

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
	n = min(n, b.cfg.MaxStreams-len(s.lanes)-s.opening)
	if n <= 0 {
		return
	}
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
				if least == nil || b.rate(l) <= b.rate(least) {
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
	sent := b.beyondReach(l)
	for _, r := range slices.Clone(l.reqs) {
		b.cut(l, r, max(int((sent-b.before(l, r, 0)+r.came)/b.cfg.SegmentSize), 0))
	}
	b.survey.stale = true
	b.touchAll()
}

// drain closes lanes that were retired and have delivered the rest.
func (b *Balancer) drain(s *server) {
	for _, l := range slices.Clone(s.lanes) {
		if l.retiring && (len(l.reqs) == 0 || l.silent || !b.now.Before(l.retired.Add(drainLimit))) {
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
	switch {
	case s.silent():
		s.stop(b.now)
	case b.free.count == 0:
		s.unsettle() // too late to measure anything
	case s.trial:
		b.judge(s)
	case len(s.rates) == bins && s.last().at != s.seen:
		s.seen = s.last().at
		step := max(s.suspect(), b.widen(s))
		if step > 1 && !b.now.Before(s.rest) && s.want < b.cfg.MaxStreams && s.opening == 0 && s.active() == s.want && b.Left() > time.Second {
			// Half of the samples tell more of the present if it got worse.
			one, _ := s.last().since(s.mark)
			late, _ := s.last().since(s.rates[bins-3])
			b.try(s, min(one, late), s.rates[bins-2], s.want*step)
		}
	}
}

// suspect looks at the samples after a new one has come: it returns by what to
// multiply the lanes in a trial, 1 if there is no reason for one. A rate that has jumped
// is reason at once: the link got faster, and the window has yet to grow. A rate
// that goes up and down is, if it does so for long: what a busy machine or the loss
// that ends a full queue does to a steady one is over sooner.
func (s *server) suspect() int {
	one, _ := s.last().since(s.mark)
	early, _ := s.rates[bins-3].since(s.mark)
	late, _ := s.last().since(s.rates[bins-3])
	spread := s.spread()
	switch {
	case spread <= unsteady*one:
		s.doubts, s.steady = 0, one
		return 1
	case late > jump*early && s.steady > 0 && one > more*s.steady:
		return 4
	}
	s.steady = 0
	if s.doubts++; s.doubts < patience || s.hardy {
		return 1
	}
	s.doubts = 0
	return firstStep(spread / one)
}

func (s *server) silent() bool {
	return slices.ContainsFunc(s.lanes, func(l *lane) bool { return l.silent })
}

// stop ends a trial without a result.
func (s *server) stop(now time.Time) {
	if s.trial {
		s.trial, s.want, s.opening = false, s.before, 0
	}
	s.rest = now.Add(time.Second)
	s.unsettle()
}

// firstStep is by what to multiply the lanes at first.
func firstStep(spread float64) int {
	if spread > veryUnsteady {
		return 4
	}
	return 2
}

// spread is the difference between the highest and the lowest rate over two
// consecutive samples. A single gap, as after the loss that ends a full
// queue, is followed by all that was held up, and shows little over two. What
// the other servers show at the same time, because this machine was busy or
// a link that they share was, is no sign of this one's: so the rates are also taken in
// proportion to the others', and the smaller spread counts.
func (s *server) spread() float64 {
	one, all := s.last().since(s.mark)
	others := all - one
	low, high := math.Inf(1), 0.0
	lowest, highest := math.Inf(1), 0.0 // in proportion
	for i, r := range s.rates[1:] {
		from := s.mark
		if i > 0 {
			from = s.rates[i-1]
		}
		rate, sum := r.since(from)
		low, high = min(low, rate), max(high, rate)
		if rest := sum - rate; rest > 0 {
			rate *= others / rest
			lowest, highest = min(lowest, rate), max(highest, rate)
		}
	}
	if highest == 0 { // nobody to compare with
		return high - low
	}
	return min(high-low, highest-lowest)
}

// try starts a trial with n lanes; was is the rate without it. What all
// servers carry without it is measured from a reading on until the new lanes
// are there.
func (b *Balancer) try(s *server, was float64, from reading, n int) {
	s.trial, s.was, s.before = true, was, s.active()
	s.from, s.upTo = from, reading{}
	s.want = min(n, b.cfg.MaxStreams)
	s.unsettle()
	b.open(s, s.want-s.before)
}

// judge ends a trial: the rates after the new lanes' start are held against
// those before it. A clear gain is believed at once; before there is said to
// be none, it is measured for longer. What one server gains at the cost of the
// others, on a shared bottleneck, does not count.
func (b *Balancer) judge(s *server) {
	if s.opening > 0 {
		return
	}
	if s.upTo.at.IsZero() {
		s.upTo = reading{b.now, s.bytes, b.bytes}
	}
	if len(s.rates) < 2 {
		return
	}
	rate, all := s.last().since(s.mark)
	_, allWas := s.upTo.since(s.from)
	own := rate / s.was
	gain := own
	if all-allWas < max((rate-s.was)*0.5, allWas*0.04) {
		gain = 1
	}
	n := s.active()
	switch {
	case n > s.before && gain >= worthLane:
		s.failed = 0
		if n >= b.cfg.MaxStreams || s.hardy {
			s.want, s.trial = n, false
			s.unsettle()
		} else if gain >= greatGain {
			b.try(s, rate, s.mark, 4*n)
		} else {
			b.try(s, rate, s.mark, 2*n)
		}
	case len(s.rates) >= 5:
		s.want, s.trial = s.before, false
		if own > worthLane*float64(n)/float64(s.before) {
			// More than its lanes could take from others on a shared bottleneck: its
			// link got faster just then, and to close lanes would slow it down.
			s.want = n
		}
		s.rest = b.now.Add(trialPause * time.Duration(math.Pow(3, float64(min(s.failed, 5)))))
		s.failed++
		s.unsettle()
	}
}
