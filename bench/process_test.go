package main

import "testing"

// What was not measured does not stand in a table as a number.
func TestFigure(t *testing.T) {
	if got := figure(median([]sample{}, cpuOf), 2); got != "not measured" {
		t.Errorf("the median of no run is %q", got)
	}
	if got := peakMiB(sample{}); got != "not measured" {
		t.Errorf("a peak that is unknown is %q", got)
	}
	if got := peakMiB(sample{rss: 5 << 20}, sample{rss: 9 << 20}); got != "7" {
		t.Errorf("the median of 5 and 9 MiB is %q", got)
	}
}
