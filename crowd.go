package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	crowdPerCore = 16          // threads that want a core: there is a crowd
	calmPerCore  = 4           // so few of them, calmLooks times in a row: it has gone
	crowdLook    = time.Second // between the looks
	calmLooks    = 3

	// crowdSlack is how much later than they ask for the threads of a client in a crowd wake up.
	crowdSlack = 5 * time.Millisecond
)

// crowd is many processes that wait for the cores.
type crowd struct {
	around atomic.Bool
	forget func() // stops the watch; call it at the end
}

// stepAside makes do with one slot while there is a crowd: with more of them a client's threads wake each other
// for every bit that comes, and all others wait for that. Beside a few busy processes it keeps them, as it
// would only get less of the cores.
func stepAside(ctx context.Context) *crowd {
	c := &crowd{forget: func() {}}
	if !inCrowd() {
		return c
	}
	c.around.Store(true)
	many := runtime.GOMAXPROCS(0)
	if !slotsAreChosen() {
		runtime.GOMAXPROCS(1)
	}
	ctx, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		if awaitCalm(ctx) {
			c.around.Store(false)
			runtime.GOMAXPROCS(many)
		}
	})
	c.forget = func() {
		cancel()
		watch.Wait()
	}
	return c
}

// inCrowd reports whether there is a crowd, to a process that has just started.
func inCrowd() bool {
	return waitedLonger(schedstat()) && runnable(loadavg()) > crowdPerCore*runtime.NumCPU()
}

// awaitCalm waits until the crowd has gone, and reports whether it has before ctx ended.
func awaitCalm(ctx context.Context) bool {
	look := time.NewTicker(crowdLook)
	defer look.Stop()
	for calm := 0; calm < calmLooks; {
		select {
		case <-look.C:
		case <-ctx.Done():
			return false
		}
		calm++
		if runnable(loadavg()) > calmPerCore*runtime.NumCPU() {
			calm = 0
		}
	}
	return true
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
