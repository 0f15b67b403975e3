package balance

import (
	"math"
	"slices"
	"time"
)

// server is what the lanes to one server have in common, and the search for
// the right number of them (trial.go).
type server struct {
	no      int
	hardy   bool // loss does not hold its lanes back
	lanes   []*lane
	want    int       // lanes that it should have
	second  *lane     // of a pair, while its window is bounded (pair.go)
	opening int       // of these, under way
	once    float64   // bytes/s, of the latest lane that is gone; 0: unknown
	retryAt time.Time // no lane that is missing is opened before
	retries int       // that came to nothing, in a row

	came    time.Time // when something last came
	catchUp catchUp   // after a gap
	mark    reading   // where the sample that is being taken began
	bytes   int64     // received
	rates   []reading // the latest samples: their ends
	ready   time.Time // no sample before

	seen   time.Time // the latest sample that was looked at
	doubts int       // samples in a row after which the rate was unsteady
	steady float64   // bytes/s while it was steady, just before that; 0: it was not

	trial  bool      // one of more lanes is under way, see trial.go
	before int       // lanes before the trial
	was    float64   // bytes/s before it
	from   reading   // the rate of all servers without it is measured from here
	upTo   reading   // to here
	failed int       // trials without a gain, in a row
	rest   time.Time // no trial before
}

// serverCount is how many servers there are, those that have not answered yet included.
func (b *Balancer) serverCount() int64 { return int64(max(len(b.servers), b.cfg.Servers)) }

func (s *server) joined(l *lane) {
	s.lanes = append(s.lanes, l)
	if s.opening > 0 {
		if s.opening--; s.opening == 0 {
			s.retryAt = time.Time{}
		}
	}
	s.unsettle()
}

func (s *server) left(l *lane, now time.Time) {
	switch {
	case l.brief:
	case now.Sub(l.joined) < time.Second:
		s.backOff(now) // no better than one that could not be opened
	default:
		s.retries = 0
	}
	if l.meter.known() {
		s.once = max(l.meter.slow.value(0, slowHalf), leastRate)
	}
	if i := slices.Index(s.lanes, l); i >= 0 {
		s.lanes = slices.Delete(s.lanes, i, i+1)
	}
	s.second = nil // what is left of a pair does all that it can
	if s.active() == 0 {
		for _, l := range s.lanes {
			l.retiring, l.brief = false, false // it is not too many any more
		}
	}
	s.unsettle()
	if l.brief {
		s.ready = now.Add(s.settling()) // the start is over
	}
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

// shortest is the shortest round trip of the lanes: what the path takes without queues.
func (s *server) shortest() time.Duration {
	t := s.lanes[0].rtt
	for _, l := range s.lanes {
		t = min(t, l.rtt)
	}
	return t
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

func (s *server) silent() bool {
	return slices.ContainsFunc(s.lanes, func(l *lane) bool { return l.silent })
}
