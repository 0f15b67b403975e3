package balance

import (
	"math"
	"slices"
	"time"
)

const (
	comparedSamples = 5 // of a server's rate
	fewSamples      = 2 // that tell how much is under way
)

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

// unsettle drops the samples, because the lanes have changed.
func (s *server) unsettle() {
	s.rates, s.mark, s.ready = s.rates[:0], reading{}, time.Time{}
}

// settling is how long a change of the lanes goes on to show.
func (s *server) settling() time.Duration { return max(3*s.rtt(), 150*time.Millisecond) }

// count counts n bytes of a server. Samples begin and end when bytes come, so that it
// does not matter in what portions they do; but not amid what a gap has held up.
func (b *Balancer) count(s *server, n int) {
	s.bytes += int64(n)
	b.bytes += int64(n)
	now := reading{b.now, s.bytes, b.bytes}
	if !s.came.IsZero() {
		s.catchUp.noteGap(b.now.Sub(s.came).Seconds(), (s.rtt() * 3 / 2).Seconds(), b.now)
	}
	s.came = b.now
	switch {
	case s.catchUp.lasts(b.now):
	case s.ready.IsZero():
		start := max(6*s.rtt(), 300*time.Millisecond)
		if s.trial {
			start = s.settling()
		}
		s.ready = b.now.Add(start)
	case b.now.Before(s.ready):
	case s.mark.at.IsZero():
		s.mark = now
	case b.now.Sub(s.last().at) >= max(2*s.rtt(), 100*time.Millisecond):
		if len(s.rates) == comparedSamples && !s.trial {
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
