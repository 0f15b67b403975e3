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
	crowdPerCore = 16                     // threads that want a core: there is a crowd
	calmPerCore  = 4                      // so few of them, calmLooks times in a row: it has gone
	crowdLook    = 200 * time.Millisecond // between the looks
	calmLooks    = 15

	// crowdSlack is how much later than they ask for the threads of a client in a crowd may wake up.
	crowdSlack = 5 * time.Millisecond
)

// crowd is many processes that wait for the cores.
type crowd struct {
	around atomic.Bool
	calm   int    // looks in a row that saw few
	forget func() // stops the watch; call it at the end
}

// stepAside makes do with one slot while there is a crowd: with more of them a client's threads wake each other
// for every bit that comes, and all others wait for that. Beside a few busy processes it keeps them, as it
// would only get less of the cores, and where a crowd comes later, as changing them takes a busy process a while.
func stepAside(ctx context.Context) *crowd {
	c := &crowd{}
	many := runtime.GOMAXPROCS(0)
	if inCrowd() {
		c.around.Store(true)
		setSlots(1)
	}
	c.start(ctx, func(around bool) {
		if !around {
			setSlots(many)
		}
	})
	return c
}

// holdOwn lets a server have its part of the cores while there is a crowd: the system shares them out by thread, and
// the clients only wait for what the server does not get to send.
func holdOwn(ctx context.Context) *crowd {
	c := &crowd{}
	few := runtime.GOMAXPROCS(0)
	c.start(ctx, func(around bool) {
		if around {
			setSlots(max(crowdSlots, few))
		} else {
			setSlots(few)
		}
	})
	return c
}

// start begins the watch, which tells turn when a crowd has come or gone.
func (c *crowd) start(ctx context.Context, turn func(around bool)) {
	ctx, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { c.watch(ctx, turn) })
	c.forget = func() {
		cancel()
		watch.Wait()
	}
}

// inCrowd reports whether there is a crowd, to a process that has just started.
func inCrowd() bool {
	return waitedLonger(schedstat()) && runnable(loadavg()) > crowdPerCore*runtime.NumCPU()
}

// watch looks again and again whether there is a crowd, until ctx ends.
func (c *crowd) watch(ctx context.Context, turn func(around bool)) {
	if runnable(loadavg()) == 0 {
		return // this system does not tell
	}
	look := time.NewTicker(crowdLook)
	defer look.Stop()
	for {
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
		if c.see(runnable(loadavg()), runtime.NumCPU()) {
			turn(c.around.Load())
		}
	}
}

// see takes in how many threads run or want to, and reports whether a crowd has come or gone.
func (c *crowd) see(threads, cores int) bool {
	switch {
	case threads > crowdPerCore*cores:
		c.calm = 0
		return !c.around.Swap(true)
	case threads > calmPerCore*cores:
		c.calm = 0
	default:
		c.calm++
	}
	return c.calm >= calmLooks && c.around.Swap(false)
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
