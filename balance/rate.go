package balance

import (
	"math"
	"time"
)

const (
	slowHalf   = 1.0       // seconds: half-life of the rate that is shown and planned with
	fastHalf   = 0.25      // seconds: half-life of the rate that shows growth and falls
	knownAfter = 0.02      // seconds of data before a rate is believed
	knownFrom  = 128 << 10 // or bytes, if they take less
)

// meter measures a rate over the time in which a lane was busy: twice an
// exponentially decaying sum of bytes over one of seconds. As both sums decay
// alike, their quotient is unbiased from the first sample on. A rate that is not half of what
// it was any more, or twice as high, and stays so, is a new one: what was before is forgotten.
type meter struct {
	slow, fast ewma
	last       time.Time // end of the last sample
	open       bool      // a sample is being taken since last
	held       int       // bytes of it, if a gap has held them up
	catchUp    catchUp   // after a gap
	gap        float64   // seconds, the mean distance of samples
	agreed     time.Time // when slow and fast were last about the same
	peak       float64   // bytes/s, the greatest fast rate
	grew       time.Time // when it was last clearly exceeded
}

type ewma struct{ bytes, secs float64 }

func (e *ewma) add(n, dt, half float64) {
	d := math.Exp2(-dt / half)
	w := 1.0 // mean weight of what happened evenly over dt
	if x := dt * math.Ln2 / half; x > 1e-9 {
		w = (1 - d) / x
	}
	e.bytes = e.bytes*d + n*w
	e.secs = e.secs*d + dt*w
}

// value is the rate if no byte more comes for quiet seconds.
func (e *ewma) value(quiet, half float64) float64 {
	f := *e
	if quiet > 0 {
		f.add(0, quiet, half)
	}
	if f.secs <= 0 {
		return 0
	}
	return f.bytes / f.secs
}

// pause says that the lane has run dry; the time until the first byte of its
// next work tells nothing of its rate.
func (m *meter) pause() { m.open, m.held = false, 0 }

// add takes n bytes that came by now. The first bytes after a pause only start
// the clock, as it is not known how long they took. What a gap has held up is one sample with it.
func (m *meter) add(n int, now time.Time) {
	if !m.open {
		m.open, m.last = true, now
		return
	}
	dt := now.Sub(m.last).Seconds()
	if m.held == 0 {
		m.catchUp.noteGap(dt, 4*m.gap, now)
	}
	if m.held += n; m.catchUp.lasts(now) {
		return
	}
	n, m.held = m.held, 0
	m.last = now
	m.slow.add(float64(n), dt, slowHalf)
	m.fast.add(float64(n), dt, fastHalf)
	m.gap += (dt - m.gap) * 0.2
	if !m.known() {
		m.grew, m.agreed = now, now
		return
	}
	if slow, fast := m.slow.value(0, slowHalf), m.fast.value(0, fastHalf); fast > slow/2 && fast < 2*slow {
		m.agreed = now
	} else if now.Sub(m.agreed).Seconds() > 2*fastHalf {
		m.slow, m.agreed = m.fast, now
	}
	if r := m.fast.value(0, fastHalf); r > m.peak*1.25 {
		m.peak, m.grew = r, now
	}
}

// known reports whether there is a rate to speak of.
func (m *meter) known() bool { return m.slow.secs >= knownAfter || m.slow.bytes >= knownFrom }

// quiet is how much longer than usual nothing has come, in seconds.
func (m *meter) quiet(now time.Time) float64 {
	if !m.open {
		return 0
	}
	return now.Sub(m.last).Seconds() - 2*m.gap
}

// rate is the present rate in bytes/s.
func (m *meter) rate(now time.Time) float64 {
	q := m.quiet(now)
	return (m.slow.value(q, slowHalf) + m.fast.value(q, fastHalf)) / 2
}

// high is the rate that a queue must be ready for, in bytes/s.
func (m *meter) high() float64 {
	return max(m.slow.value(0, slowHalf), m.fast.value(0, fastHalf))
}
