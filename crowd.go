package main

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

const (
	crowdPerCore = 16          // threads that want a core: there is a crowd
	calmPerCore  = 4           // so few of them, calmLooks times in a row: it has gone
	crowdLook    = time.Second // between the looks
	calmLooks    = 3
)

// stepAside makes do with one slot while a crowd of processes waits for the cores, until ctx ends: with
// more of them a client's threads wake each other for every bit that comes, and all others wait for that.
// Beside a few busy processes it keeps them, as it would only get less of the cores.
func stepAside(ctx context.Context) {
	if slotsAreChosen() || !waitedLonger(schedstat()) || runnable(loadavg()) <= crowdPerCore*runtime.NumCPU() {
		return
	}
	many := runtime.GOMAXPROCS(1)
	look := time.NewTicker(crowdLook)
	defer look.Stop()
	for calm := 0; calm < calmLooks; calm++ {
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
		if runnable(loadavg()) > calmPerCore*runtime.NumCPU() {
			calm = -1
		}
	}
	runtime.GOMAXPROCS(many)
}

// waitedLonger reports whether a process has waited for a core for longer than it ran, by its schedstat in
// Linux's /proc: ns that it ran, ns that it waited, and how often it ran.
func waitedLonger(schedstat string) bool {
	var ran, waited uint64
	_, err := fmt.Sscan(schedstat, &ran, &waited)
	return err == nil && waited > ran
}

// runnable is how many threads of the whole system run or want to, by Linux's /proc/loadavg, which tells
// it before the first slash; 0 if it does not.
func runnable(loadavg string) (n int) {
	var load [3]float64
	if _, err := fmt.Sscanf(loadavg, "%g %g %g %d/", &load[0], &load[1], &load[2], &n); err != nil {
		return 0
	}
	return n
}
