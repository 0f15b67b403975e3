package report

import (
	"math"
	"time"
)

const (
	// leftHalfLife is how fast the estimate of the time left follows the rate:
	// slower than the balancer's, as a person wants a number that holds still.
	leftHalfLife = 5 * time.Second
	// maxLeft is where an estimate stops to mean anything.
	maxLeft = 1000 * 24 * time.Hour
)

// Estimate smooths a download's rate for the time that is left: an EWMA by
// elapsed time, not by sample, and with the bias of its start taken out (as in
// Kingma and Ba, "Adam", section 3). The zero value is ready. It is not for
// several goroutines.
type Estimate struct {
	started bool
	at      time.Duration // elapsed time of the last sample
	bytes   int64         // bytes in hand at that time
	rate    float64       // bytes/s, biased towards 0 by the weight
	weight  float64       // 0 at the start, to 1
}

// Left takes a sample, bytes in hand out of size at a time since the start, and
// returns the time left; negative when it is unknown (no size yet, no
// rate yet, or a standstill). The bytes of the first sample count as
// found and not as fetched.
func (e *Estimate) Left(elapsed time.Duration, bytes, size int64) time.Duration {
	if !e.started || bytes < e.bytes || elapsed < e.at {
		*e = Estimate{started: true, at: elapsed, bytes: bytes}
	}
	if dt := elapsed - e.at; dt > 0 {
		keep := math.Exp2(-float64(dt) / float64(leftHalfLife))
		e.rate = keep*e.rate + (1-keep)*float64(bytes-e.bytes)/dt.Seconds()
		e.weight = keep*e.weight + (1 - keep)
		e.at, e.bytes = elapsed, bytes
	}
	switch {
	case size <= 0:
		return -1
	case bytes >= size:
		return 0
	case e.rate <= 0:
		return -1
	}
	left := float64(size-bytes) / (e.rate / e.weight) // seconds
	if left >= maxLeft.Seconds() {
		return -1
	}
	return time.Duration(left * float64(time.Second))
}
