package balance

import (
	"math"
	"time"
)

const (
	unsteadySpread     = 0.3 // spread of the samples, relative to their mean, that more lanes might help
	veryUnsteadySpread = 0.5 // spread at which the first step is from one lane to four
	leastDoubts        = 2   // samples in a row that must show it, unless the rate has jumped
	jumpGrowth         = 1.4 // growth between samples that is a jump
	jumpMeanGrowth     = 1.1 // growth of the mean that goes with it: what a gap held up is no more
	leastGain          = 1.2 // growth of the server's rate that justifies twice the lanes
	greatGain          = 1.5 // growth after which the number is taken times four
	trialPause         = 3 * time.Second
)

// seek looks for the number of lanes that a server is worth.
//
// One stream under a loss-based congestion control carries MSS/RTT × 1.2/√p at a loss of p
// (Mathis et al. 1997), however wide the link is; several carry several times that. On a link
// that is full, more of them carry nothing more. The two look different from here: a full link
// delivers at a steady rate, a window that is cut by random loss (or is still growing, after the
// link got faster) does not. So a trial starts only when the rate is unsteady, or the window
// about as wide as systems allow (window.go); its result decides whether the lanes stay.
func (b *Balancer) seek(s *server) {
	switch {
	case s.silent():
		s.stop(b.now)
	case b.free.count == 0:
		s.unsettle() // too late to measure anything
	case s.trial:
		b.judge(s)
	case len(s.rates) >= fewSamples && s.last().at != s.seen:
		s.seen = s.last().at
		b.consider(s)
	}
}

// consider begins a trial if a new sample gives reason to. Full windows are reason before there are as
// many samples as tell an unsteady rate.
func (b *Balancer) consider(s *server) {
	step, half, window := 1, s.mark, float64(fullWindow)
	if len(s.rates) == comparedSamples {
		step, half, window = s.suspect(), s.rates[comparedSamples-3], wideWindow
	}
	step = max(step, b.widen(s, window))
	settled := s.opening == 0 && len(s.lanes) == s.want && s.want < b.cfg.MaxStreams
	if step > 1 && settled && !b.now.Before(s.rest) && b.timeLeft() > time.Second {
		// The later samples tell more of the present if it got worse.
		one, _ := s.last().since(s.mark)
		late, _ := s.last().since(half)
		b.try(s, min(one, late), s.rates[len(s.rates)-2], s.want*step)
	}
}

// suspect looks at the samples after a new one has come: it returns by what to
// multiply the lanes in a trial, 1 if there is no reason for one. A rate that has jumped
// is reason at once: the link got faster, and the window has yet to grow. A rate
// that goes up and down is, if it does so for long: what a busy machine or the loss
// that ends a full queue does to a steady one is over sooner.
func (s *server) suspect() int {
	one, _ := s.last().since(s.mark)
	early, _ := s.rates[comparedSamples-3].since(s.mark)
	late, _ := s.last().since(s.rates[comparedSamples-3])
	spread := s.spread()
	switch {
	case spread <= unsteadySpread*one:
		s.doubts, s.steady = 0, one
		return 1
	case late > jumpGrowth*early && s.steady > 0 && one > jumpMeanGrowth*s.steady:
		return 4
	}
	s.steady = 0
	if s.doubts++; s.doubts < leastDoubts || s.hardy {
		return 1
	}
	s.doubts = 0
	return firstStep(spread / one)
}

// firstStep is by what to multiply the lanes at first.
func firstStep(spread float64) int {
	if spread > veryUnsteadySpread {
		return 4
	}
	return 2
}

// stop ends a trial without a result.
func (s *server) stop(now time.Time) {
	if s.trial {
		s.trial, s.want, s.opening = false, s.before, 0
	}
	s.rest = now.Add(time.Second)
	s.unsettle()
}

// try starts a trial with n lanes; was is the rate without it. What all
// servers carry without it is measured from a reading on until the new lanes
// are there.
func (b *Balancer) try(s *server, was float64, from reading, n int) {
	s.trial, s.was, s.before = true, was, s.active()
	s.from, s.upTo = from, reading{}
	s.want, s.second = min(n, b.cfg.MaxStreams), nil
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
	case n > s.before && gain >= leastGain:
		s.failed = 0
		if n >= b.cfg.MaxStreams || s.hardy {
			s.want, s.trial = n, false
			s.unsettle()
		} else if gain >= greatGain {
			b.try(s, rate, s.mark, 4*n)
		} else {
			b.try(s, rate, s.mark, 2*n)
		}
	case len(s.rates) >= comparedSamples:
		s.want, s.trial = s.before, false
		if n > s.before && own > leastGain*float64(n)/float64(s.before) {
			// More than its lanes could take from others on a shared bottleneck: its
			// link got faster just then, and to close lanes would slow it down.
			s.want = n
		}
		s.rest = b.now.Add(trialPause * time.Duration(math.Pow(3, float64(min(s.failed, 5)))))
		s.failed++
		s.unsettle()
	}
}
