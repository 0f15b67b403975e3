package client

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"braid/balance"
	"braid/report"
)

const (
	housekeeping  = 100 * time.Millisecond
	absence       = 250 * time.Millisecond // a loop that was away for so long has heard nobody
	checkpointing = 200 * time.Millisecond
	drawing       = 200 * time.Millisecond

	manifestLimit = 200 * time.Millisecond // then another server is asked, too
	earlyLimit    = 10 * time.Millisecond  // the same for one that was asked with the greeting
	showing       = 8 << 10                // bytes of the file by which a server shows that it is a fast one
	silenceGrace  = 3 * time.Second        // connected but silent servers get this much at least
	silenceTold   = time.Second            // and after this much the silence of all of them is told
)

// download is one run. The goroutine in loop owns all of it but the events
// channel, keepers and the goroutines; the others send it events.
type download struct {
	cfg     Config
	env     Env
	events  chan event
	reading sync.WaitGroup // connections; the keepers take what they read until the last one has ended
	tasks   sync.WaitGroup // all others
	screen  *report.Screen
	tell    *report.Events
	limiter *rate.Limiter
	telling *rate.Limiter // of the loss of all servers
	keepers *keepers

	servers []*server
	ballot  *ballot
	decided bool
	content *content // nil until the first answer
	busy    bool     // a goroutine is opening a part or discarding one, maybe of an earlier content
	lanes   map[balance.Lane]*conn
	next    balance.Lane
	early   *conn // that is asked for the manifest with the greeting; nil: none yet

	partial    bool      // -r, and a partial download is in the folder
	answered   time.Time // when a server was last of use
	lostAll    bool      // no server has what we want, though one had
	allSilent  bool      // it has been told that those that are connected are all silent
	toldNone   bool      // that no server answers yet
	hurries    bool      // reads do, see hurry
	arrived    int64     // payload bytes off the wire
	kept       int64     // bytes that verified first in this run
	resumed    int64     // bytes found by -r
	complete   string    // path of a file that was complete already
	last       error     // why the latest attempt to connect failed
	checkpoint time.Time
	awake      time.Time // when loop last ran
	view       view
}

// emit hands an event to the download. There is always somebody to take it, until
// the last of tasks has ended: loop, then windUp.
func (d *download) emit(e event) { d.events <- e }

// loop runs the download until every segment is there (nil) or it must end.
func (d *download) loop(ctx context.Context) error {
	begun := time.Now()
	for _, s := range d.servers {
		d.dial(ctx, s, toSeek, 0)
	}
	start := time.NewTimer(d.far())
	defer start.Stop()
	blocks := time.NewTicker(d.cfg.Interval)
	defer blocks.Stop()
	house := time.NewTicker(housekeeping)
	defer house.Stop()
	plan := time.NewTimer(time.Hour)
	defer plan.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-d.events:
			err = d.handleAll(ctx, e)
		case w := <-d.env.Warnings:
			d.warn(w)
		case <-plan.C:
		case <-start.C:
			d.dialBeside(ctx, time.Since(begun))
		case <-blocks.C:
			d.report()
		case <-house.C:
			err = d.keepHouse(ctx)
		}
		if err != nil {
			return err
		}
		if d.done() {
			return nil
		}
		d.forgiveAbsence(time.Now())
		if at := d.plan(ctx); !at.IsZero() {
			plan.Reset(time.Until(at))
		}
	}
}

// done reports whether the whole file is there, and its content decided.
func (d *download) done() bool {
	if d.complete != "" {
		return true
	}
	c := d.content
	return d.decided && c != nil && c.store != nil && c.balancer.Done() && c.unread == 0
}

// handleAll handles an event and those that wait behind it, so that one plan
// serves them all.
func (d *download) handleAll(ctx context.Context, e event) error {
	for n := 1; ; n++ {
		if err := d.handle(ctx, e); err != nil || n == cap(d.events) {
			return err
		}
		select {
		case e = <-d.events:
		default:
			return nil
		}
	}
}

func (d *download) handle(ctx context.Context, e event) error {
	now := time.Now()
	switch e := e.(type) {
	case dialed:
		d.onDialed(ctx, e)
	case welcomed:
		return d.onWelcomed(ctx, e, now)
	case manifested:
		d.onManifested(e)
	case checked:
		return d.onChecked(ctx, e, now)
	case proved:
		return d.onProved(ctx, e, now)
	case opened:
		return d.onOpened(ctx, e, now)
	case readBack:
		d.onReadBack(e, now)
	case discarded:
		d.busy = false
		return d.settle(ctx, now)
	case received:
		d.onReceived(e.c, e.n, now)
		if e.c.joined {
			d.content.balancer.Reached(e.c.lane, e.req, e.offset, now)
		}
	case overhead:
		if e.c.joined {
			d.content.balancer.Received(e.c.lane, e.n, now)
		}
	case heldBack:
		d.onHeldBack(e)
	case landed:
		return d.onLanded(e, now)
	case ponged:
		e.c.rtt = min(e.c.rtt, e.rtt)
		if e.c.joined {
			d.content.balancer.RTT(e.c.lane, e.rtt, now)
		}
	case ended:
		return d.onEnded(ctx, e, now)
	}
	return nil
}

// forgiveAbsence takes nobody for late or silent because this program did not run: it was
// suspended, or stood still with the disk.
func (d *download) forgiveAbsence(now time.Time) {
	away := now.Sub(d.awake)
	if !d.awake.IsZero() && away > absence {
		if d.answered = d.answered.Add(away); d.answered.After(now) {
			d.answered = now
		}
		for c := range d.conns() {
			if c.joined && !d.content.balancer.Silent(c.lane) {
				d.content.balancer.Blocked(c.lane, now)
			}
		}
	}
	d.awake = now
}

// forgiveDisk takes no connection for silent that waits for the disk.
func (d *download) forgiveDisk(now time.Time) {
	if d.busy && d.provided() {
		d.answered = now // a file is being read back: nobody has been asked for anything
	}
	for c := range d.conns() {
		if c.joined && c.keeping.Load() > 0 {
			d.answered = now
			d.content.balancer.Blocked(c.lane, now)
		}
		if c.joined && len(c.held) > 0 {
			d.content.balancer.Blocked(c.lane, now)
		}
	}
}

// keepHouse does what is due by time.
func (d *download) keepHouse(ctx context.Context) error {
	now := time.Now()
	d.forgiveAbsence(now)
	if d.content != nil && d.content.part != nil && now.Sub(d.checkpoint) >= checkpointing {
		d.checkpoint = now
		if err := d.content.part.Present(); err != nil {
			return err
		}
		if err := d.content.part.Checkpoint(); err != nil {
			return err
		}
	}
	d.forgiveDisk(now)
	d.draw(now)
	if err := d.settle(ctx, now); err != nil {
		return err
	}
	return d.verdict(now)
}
