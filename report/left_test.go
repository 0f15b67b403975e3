package report

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// feed gives e samples at the rate, every step, and returns the last estimate.
func feed(e *Estimate, from time.Duration, bytes *int64, rate float64, step, length time.Duration, size int64) time.Duration {
	var left time.Duration
	start, base := from, *bytes
	for at := from + step; at <= from+length; at += step {
		*bytes = base + int64(rate*(at-start).Seconds())
		left = e.Left(at, *bytes, size)
	}
	return left
}

func within(t *testing.T, what string, got, want, tolerance time.Duration) {
	t.Helper()
	if d := got - want; d < -tolerance || d > tolerance {
		t.Errorf("%s: %v left, want %v ± %v", what, got, want, tolerance)
	}
}

func TestEstimateKnowsASteadyRateAtOnce(t *testing.T) {
	for _, step := range []time.Duration{10 * time.Millisecond, 200 * time.Millisecond, time.Second} {
		var e Estimate
		var bytes int64
		if got := e.Left(0, 0, 100e6); got >= 0 {
			t.Errorf("before any rate: %v", got)
		}
		got := feed(&e, 0, &bytes, 1e6, step, time.Second, 100e6)
		within(t, step.String(), got, 99*time.Second, 10*time.Millisecond)
	}
}

// After a change of rate, half of it is seen in a half-life, and nearly all in five.
func TestEstimateFollowsAChange(t *testing.T) {
	const size = 1e9
	var e Estimate
	var bytes int64
	e.Left(0, 0, size)
	feed(&e, 0, &bytes, 1e6, 100*time.Millisecond, time.Minute, size)
	left := feed(&e, time.Minute, &bytes, 3e6, 100*time.Millisecond, leftHalfLife, size)
	rate := float64(size-bytes) / left.Seconds()
	if math.Abs(rate-2e6) > 0.01e6 {
		t.Errorf("rate after one half-life: %.0f bytes/s, want 2000000", rate)
	}
	left = feed(&e, time.Minute+leftHalfLife, &bytes, 3e6, 100*time.Millisecond, 4*leftHalfLife, size)
	if rate := float64(size-bytes) / left.Seconds(); rate < 2.9e6 || rate > 3e6 {
		t.Errorf("rate after five: %.0f bytes/s, want nearly 3000000", rate)
	}
}

// The estimate depends on the time between samples and not on their number.
func TestEstimateIsIndependentOfSampling(t *testing.T) {
	var often, seldom Estimate
	var a, b int64
	often.Left(0, 0, 1e9)
	seldom.Left(0, 0, 1e9)
	feed(&often, 0, &a, 2e6, 10*time.Millisecond, 10*time.Second, 1e9)
	feed(&seldom, 0, &b, 2e6, 5*time.Second, 10*time.Second, 1e9)
	x := feed(&often, 10*time.Second, &a, 5e5, 10*time.Millisecond, 5*time.Second, 1e9)
	y := feed(&seldom, 10*time.Second, &b, 5e5, 5*time.Second, 5*time.Second, 1e9)
	within(t, "many and few samples", x, y, 100*time.Millisecond)
}

func TestEstimateEdges(t *testing.T) {
	var e Estimate
	if got := e.Left(0, 0, 0); got >= 0 {
		t.Errorf("unknown size: %v", got)
	}
	if got := e.Left(time.Second, 100, 100); got != 0 {
		t.Errorf("complete: %v", got)
	}

	var resumed Estimate
	resumed.Left(0, 50e6, 100e6)
	within(t, "after a resume", resumed.Left(time.Second, 51e6, 100e6), 49*time.Second, time.Millisecond)
	within(t, "a second sample at the same time", resumed.Left(time.Second, 51e6, 100e6), 49*time.Second, time.Millisecond)
	if got := resumed.Left(time.Second*3600*10, 51e6, 100e6); got >= 0 {
		t.Errorf("after ten hours of standstill: %v", got)
	}
	if got := resumed.Left(time.Second*3600*10+1, 20e6, 100e6); got >= 0 {
		t.Errorf("after the bytes went back: %v", got)
	}
}

// Never a panic, an overflow, or a time without a rate.
func TestEstimateProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var e Estimate
		fetched := false
		for range rapid.IntRange(1, 20).Draw(t, "samples") {
			at := time.Duration(rapid.Int64Min(0).Draw(t, "at"))
			bytes := rapid.Int64Min(0).Draw(t, "bytes")
			size := rapid.Int64Min(0).Draw(t, "size")
			fetched = fetched || bytes > 0
			left := e.Left(at, bytes, size)
			if left >= maxLeft || left < -1 {
				t.Fatalf("%v left", left)
			}
			if done := size > 0 && bytes >= size; done && left != 0 {
				t.Fatalf("%v left of nothing", left)
			}
			if left > 0 && !fetched {
				t.Fatalf("%v left though nothing was fetched", left)
			}
		}
	})
}
