package main

import "testing"

func TestWaitedLonger(t *testing.T) {
	for stat, want := range map[string]bool{
		"3200000 68932 79\n":    false,
		"3200000 20128900 79\n": true,
		"0 0 0\n":               false,
		"":                      false,
		"3200000\n":             false,
		"-1 5 2\n":              false,
	} {
		if got := waitedLonger(stat); got != want {
			t.Errorf("%q: %v", stat, got)
		}
	}
}

func TestRunnable(t *testing.T) {
	for avg, want := range map[string]int{
		"0.54 12.40 9.33 191/2316 12345\n": 191,
		"0.00 0.00 0.00 1/80 7\n":          1,
		"":                                 0,
		"0.54 12.40\n":                     0,
		"x 1 2 3/4 5\n":                    0,
	} {
		if got := runnable(avg); got != want {
			t.Errorf("%q: %d, want %d", avg, got, want)
		}
	}
}

// TestCrowdComesAndGoes: a crowd is around as soon as many threads want to run, and until few have for a while.
func TestCrowdComesAndGoes(t *testing.T) {
	const cores = 2
	c := &crowd{}
	see := func(threads, looks int, around, changed bool) {
		t.Helper()
		var turned bool
		for range looks {
			turned = c.see(threads, cores)
		}
		if c.around.Load() != around || turned != changed {
			t.Errorf("%d threads, seen %d times: around %v, the last look changed it: %v", threads, looks, c.around.Load(), turned)
		}
	}
	see(crowdPerCore*cores, 100, false, false)
	see(crowdPerCore*cores+1, 1, true, true)
	see(crowdPerCore*cores+1, 1, true, false)
	see(calmPerCore*cores, calmLooks-1, true, false)
	see(calmPerCore*cores+1, 100, true, false)
	see(calmPerCore*cores, calmLooks-1, true, false)
	see(calmPerCore*cores, 1, false, true)
	see(calmPerCore*cores, 1, false, false)
}
