package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"braid/balance"
	"braid/report"
	"braid/segment"
	"braid/wire"
)

const (
	housekeeping  = 100 * time.Millisecond
	checkpointing = 200 * time.Millisecond
	drawing       = 200 * time.Millisecond

	manifestLimit = 200 * time.Millisecond // then another server is asked, too
	silenceGrace  = 30 * time.Second       // connected but silent servers get this much at least

	// The first request: enough for the round trips until more can be asked,
	// and all first requests together bounded, as they are held in memory.
	maxShare  = 1 << 20
	minShare  = 64 << 10
	allShares = 32 << 20
)

// download is one run. The goroutine in loop owns all of it but the events
// channel and tasks; the others send it events.
type download struct {
	cfg     Config
	env     Env
	events  chan event
	tasks   sync.WaitGroup
	screen  *report.Screen
	tell    *report.Events
	limiter *rate.Limiter

	servers []*server
	ballot  *ballot
	decided bool
	content *content // nil until the first answer
	opening bool     // a goroutine is opening a part, maybe of an earlier content
	lanes   map[balance.Lane]*conn
	next    balance.Lane

	partial    bool      // -r, and a partial download is in the folder
	answered   time.Time // when a server was last of use
	lostAll    bool      // no server has what we want, though one had
	toldNone   bool      // that no server answers yet
	arrived    int64     // payload bytes off the wire
	kept       int64     // bytes that verified first in this run
	resumed    int64     // bytes found by -r
	complete   string    // path of a file that was complete already
	last       error     // why the latest attempt to connect failed
	checkpoint time.Time
	view       view
}

// emit hands an event to the download, unless it has ended.
func (d *download) emit(ctx context.Context) func(event) {
	return func(e event) {
		select {
		case d.events <- e:
		case <-ctx.Done():
		}
	}
}

// loop runs the download until every segment is there (nil) or it must end.
func (d *download) loop(ctx context.Context) error {
	for _, s := range d.servers {
		d.dial(ctx, s, toSeek, 0)
	}
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
		case <-plan.C:
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
	return d.decided && d.content != nil && d.content.balancer != nil && d.content.balancer.Done()
}

// handleAll handles an event and those that wait behind it, so that one plan
// serves them all.
func (d *download) handleAll(ctx context.Context, e event) error {
	for range cap(d.events) {
		if err := d.handle(ctx, e); err != nil {
			return err
		}
		select {
		case e = <-d.events:
		default:
			return nil
		}
	}
	return nil
}

func (d *download) handle(ctx context.Context, e event) error {
	now := time.Now()
	switch e := e.(type) {
	case dialed:
		d.onDialed(ctx, e)
	case welcomed:
		return d.onWelcomed(ctx, e, now)
	case manifested:
		d.onManifested(ctx, e)
	case checked:
		return d.onChecked(ctx, e, now)
	case opened:
		return d.onOpened(ctx, e, now)
	case received:
		d.onReceived(e.c, e.n, now)
	case overhead:
		if e.c.joined {
			d.content.balancer.Received(e.c.lane, e.n, now)
		}
	case heldBack:
		d.onHeldBack(ctx, e)
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

// keepHouse does what is due by time.
func (d *download) keepHouse(ctx context.Context) error {
	now := time.Now()
	if d.content != nil && d.content.part != nil && now.Sub(d.checkpoint) >= checkpointing {
		d.checkpoint = now
		if err := d.content.part.Checkpoint(); err != nil {
			return err
		}
	}
	d.draw(now)
	if err := d.settle(ctx, now); err != nil {
		return err
	}
	return d.verdict(now)
}

func (d *download) onDialed(ctx context.Context, e dialed) {
	if e.why == toProbe && !e.superseded {
		e.server.probing = nil
	}
	switch {
	case e.err != nil && e.superseded:
		e.server.dialing--
		d.seekAgain(ctx, e.server)
		return
	case e.err != nil:
		d.attemptFailed(ctx, e.server, e.why, e.err)
		return
	}
	d.next++
	c := newConn(d.next, e.server, e.nc, d.firstShare(e.server, e.why), d.limiter, d.emit(ctx))
	c.why, c.rtt = e.why, e.took
	d.lanes[c.lane] = c
	d.tasks.Go(func() { c.run(ctx) })
}

// firstShare is what a connection asks for before it knows the size. A server
// that was there before gets none: what is missing then is the manifest, which
// would wait behind it.
func (d *download) firstShare(s *server, why purpose) share {
	if why != toSeek || d.partial || s.useful || d.content != nil && d.content.balancer != nil {
		return share{}
	}
	n := len(d.servers)
	return share{part: s.index, parts: n, max: min(max(allShares/int64(n), minShare), maxShare)}
}

func (d *download) onWelcomed(ctx context.Context, e welcomed, now time.Time) error {
	c, s := e.c, e.c.server
	s.dialing--
	if c.closed {
		return nil
	}
	c.welcome, c.rtt = e.welcome, min(c.rtt, e.took)
	s.conns = append(s.conns, c)
	s.tried, s.fatal = true, nil
	if c.why == toProbe {
		d.race(c)
		if c.closed {
			return nil
		}
	}
	if s.out() {
		d.drop(c)
		return nil
	}
	d.wantPartial(c)
	d.ballot.vote(s.index, c.key(), now)
	if d.usable(c) {
		if s.hellos++; s.hellos <= helloLimit {
			d.answered = now
		}
		if len(s.conns) == 1 {
			d.greetAgain(s)
		}
	}
	return d.settle(ctx, now)
}

// wantPartial lets the partial download of the name that a server tells
// decide the content, where the user has not.
func (d *download) wantPartial(c *conn) {
	if !d.partial || d.ballot.want != nil || d.decided {
		return
	}
	root, err := segment.PeekState(d.cfg.Output, segment.SafeName(c.welcome.Name))
	if err == nil {
		d.ballot.want = &root
	}
}

// greetAgain tells that a server is there, or there again.
func (d *download) greetAgain(s *server) {
	word := "connected"
	if s.useful {
		word = "rejoined"
	}
	s.state, s.useful, s.told, d.lostAll = connected, true, "", false
	d.event(s, "%s", word)
}

// usable reports whether a connection's content is, or may become, ours.
func (d *download) usable(c *conn) bool {
	return !d.decided || c.key() == d.content.key
}

// race decides between a connection that was dialled beside silent ones and
// them: those that are silent still go; if there are none, the new one does.
func (d *download) race(c *conn) {
	silent := 0
	for _, old := range slices.Clone(c.server.conns) {
		if old != c && old.joined && d.content.balancer.Silent(old.lane) {
			silent++
			d.drop(old)
		}
	}
	if silent == 0 && len(c.server.conns) > 1 {
		d.drop(c)
	}
}

// settle moves the content on as far as is possible now: the vote, the
// manifest, the part file, the connections that can take part.
func (d *download) settle(ctx context.Context, now time.Time) error {
	if !d.decided {
		if err := d.decide(now); err != nil {
			return err
		}
	}
	c := d.content
	switch {
	case c == nil:
	case c.balancer != nil:
		for _, s := range d.servers {
			for _, conn := range slices.Clone(s.conns) {
				d.join(ctx, conn, now)
			}
		}
	case c.manifest == nil && !d.partialOf(c):
		d.seekManifest(now)
	case !d.opening && (d.decided || !c.waits):
		d.opening = true
		decided := d.decided
		d.tasks.Go(func() {
			outcome, err := d.open(ctx, c, decided)
			e := opened{content: c, outcome: outcome, err: err}
			select {
			case d.events <- e:
			case <-ctx.Done():
				outcome.release()
			}
		})
	}
	return nil
}

// partialOf reports whether the manifest will be found on disk, in the
// partial download that -r goes on with.
func (d *download) partialOf(c *content) bool {
	return d.partial && c.fromDisk
}

// decide looks at the vote, and takes the first answer for the time being.
func (d *download) decide(now time.Time) error {
	k, ok, err := d.ballot.decide(now)
	if err != nil {
		return err
	}
	if !ok {
		if d.content != nil {
			return nil
		}
		groups := d.ballot.groups()
		if len(groups) == 0 {
			return nil
		}
		k = groups[0].key
	}
	d.decided = ok
	if d.content == nil || d.content.key != k {
		d.choose(k)
	}
	if d.decided {
		d.turnAway()
	}
	return nil
}

// choose begins with a content, and drops the one that was provisional.
func (d *download) choose(k key) {
	if old := d.content; old != nil && old.part != nil {
		old.store.discard()
		d.kept, d.view.then = 0, 0
		d.view.history.Forget()
		for _, s := range d.servers {
			s.bytes, s.bytesThen = 0, 0
			for _, c := range s.conns {
				c.joined = false
			}
		}
	}
	for _, s := range d.servers {
		for _, c := range s.conns {
			if c.key() == k {
				name := segment.SafeName(c.welcome.Name)
				d.content = &content{key: k, layout: c.welcome.Layout, name: name, fromDisk: segment.Leftover(d.cfg.Output, name)}
				return
			}
		}
	}
	// The server that had it has gone since: whoever comes next brings it.
	d.content = nil
	d.decided = false
}

// turnAway tells of the servers that hold another file, and leaves them.
func (d *download) turnAway() {
	for _, s := range d.servers {
		for _, c := range slices.Clone(s.conns) {
			if c.key() == d.content.key {
				continue
			}
			d.turnAwayFrom(c)
		}
	}
}

func (d *download) turnAwayFrom(c *conn) {
	s := c.server
	s.state, s.useful = otherFile, false
	d.trouble(s, fmt.Sprintf("holds another file: BLAKE3 %v, %d bytes; it is not used", c.key().root, c.key().size))
	d.drop(c)
}

// seekManifest asks a server for the manifest, and when that one takes long
// another one: the one that has sent the most, as the manifest waits behind what
// a server has sent already.
func (d *download) seekManifest(now time.Time) {
	c := d.content
	if c.asked != nil && now.Sub(c.askedAt) < max(manifestLimit, 4*c.asked.rtt) {
		return
	}
	var best *conn
	for _, s := range d.servers {
		for _, conn := range s.conns {
			if conn.key() == c.key && !conn.told && (best == nil || conn.got > best.got) {
				best = conn
			}
		}
	}
	if best == nil {
		return
	}
	best.told = true
	c.asked, c.askedAt = best, now
	if !best.welcome.Manifest {
		best.send(wire.GetManifest{})
	}
}

func (d *download) onManifested(ctx context.Context, e manifested) {
	w := e.c.welcome
	d.tasks.Go(func() {
		m, err := segment.NewManifest(w.Layout, w.Root, e.values)
		d.emit(ctx)(checked{e.c, m, err})
	})
}

func (d *download) onChecked(ctx context.Context, e checked, now time.Time) error {
	if e.err != nil {
		d.lied(e.c, e.err)
		return d.settle(ctx, now)
	}
	if c := d.content; c != nil && c.key == e.c.key() && c.manifest == nil {
		c.manifest = e.manifest
	}
	return d.settle(ctx, now)
}

func (d *download) onOpened(ctx context.Context, e opened, now time.Time) error {
	c := e.content
	d.opening = false
	if c != d.content { // the vote went another way meanwhile
		e.outcome.release()
		return d.settle(ctx, now)
	}
	switch {
	case errors.Is(e.err, errUndecided):
		c.waits = true
		return d.settle(ctx, now)
	case errors.Is(e.err, segment.ErrNoState):
		d.tell.Printf("cannot resume, starting from nothing: %v", e.err)
		c.fromDisk = false
		return d.settle(ctx, now)
	}
	if e.err != nil {
		return e.err
	}
	if e.outcome.complete != "" {
		d.complete, d.resumed = e.outcome.complete, c.layout.Size
		d.view.history.Delivered(0, 0, d.resumed, d.resumed)
		d.tell.Printf("%s is complete already: all of it verifies", d.complete)
		return nil
	}
	c.part, c.manifest, c.resumed = e.outcome.part, e.outcome.part.Manifest(), e.outcome.resumed
	c.store = &store{manifest: c.manifest, part: c.part}
	if e.outcome.dropped {
		d.tell.Printf("dropped the partial download of an earlier run, %s.part (-r would have gone on with it)", c.name)
	}
	c.balancer = balance.New(balance.Config{
		Size: c.layout.Size, SegmentSize: c.layout.SegmentSize,
		Servers: len(d.servers), MinStreams: max(d.cfg.Streams, 1), MaxStreams: d.maxStreams(),
	})
	if e.outcome.resumed {
		d.resumed = c.part.HaveBytes()
		d.tell.Printf("resumed: %d of %d bytes of %s are there and verified", d.resumed, c.layout.Size, c.name)
		for i := range c.layout.Count() {
			if c.part.Have(i) {
				c.balancer.Have(i)
				d.view.history.Delivered(0, c.layout.Offset(i), int64(c.layout.Len(i)), c.layout.Size)
			}
		}
	}
	return d.settle(ctx, now)
}

// maxStreams is how many connections a server may have.
func (d *download) maxStreams() int {
	if d.cfg.Streams > 0 {
		return d.cfg.Streams
	}
	return maxStreams
}

// join lets a connection take part in the download.
func (d *download) join(ctx context.Context, c *conn, now time.Time) {
	if c.joined || c.closed {
		return
	}
	if c.key() != d.content.key {
		if d.decided {
			d.turnAwayFrom(c)
		}
		return
	}
	c.joined = true
	st := d.content.store
	c.store.Store(st)
	b := d.content.balancer
	b.Join(c.lane, c.server.index, c.rtt, now)
	if c.share.parts > 0 {
		run := segment.Share(d.content.layout, c.share.part, c.share.parts, c.share.max)
		b.Adopt(c.lane, 0, balance.Run(run), now)
	}
	held := c.held
	c.held = nil
	d.verify(ctx, c, st, held)
}

func (d *download) onHeldBack(ctx context.Context, e heldBack) {
	if st := e.c.store.Load(); st != nil {
		d.verify(ctx, e.c, st, []piece{e.piece})
		return
	}
	if !e.c.closed {
		e.c.held = append(e.c.held, e.piece)
	}
}

// verify verifies and writes segments that came before the content was known.
func (d *download) verify(ctx context.Context, c *conn, st *store, held []piece) {
	if len(held) == 0 {
		return
	}
	emit := d.emit(ctx)
	d.tasks.Go(func() {
		for _, p := range held {
			emit(landed{c, p.index, 0, keep(st, p.index, p.data)})
		}
	})
}

func (d *download) onReceived(c *conn, n int, now time.Time) {
	d.arrived += int64(n)
	c.server.arrived += int64(n)
	c.got += int64(n)
	c.server.pause = 0 // it is of use: not so a server that only says hello
	if !c.joined {
		return
	}
	d.answered, c.server.hellos = now, 0
	d.content.balancer.Received(c.lane, n, now)
	if c.server.state == stalled {
		d.greetAgain(c.server)
	}
}

func (d *download) onLanded(e landed, now time.Time) error {
	c := e.c
	if e.n > 0 {
		d.onReceived(c, e.n, now)
	}
	if st := c.store.Load(); st == nil || d.content == nil || st != d.content.store {
		return nil // of a content that was given up
	}
	b := d.content.balancer
	switch {
	case errors.Is(e.err, errCorrupt):
		b.Rejected(c.lane, e.index, now)
		d.lied(c, e.err)
	case e.err != nil:
		return e.err
	case b.Verified(c.lane, e.index, now):
		n := int64(d.content.layout.Len(e.index))
		d.content.part.Mark(e.index)
		d.kept += n
		c.server.bytes += n
		d.view.history.Delivered(c.server.number(), d.content.layout.Offset(e.index), n, d.size())
	}
	return nil
}

// lied gives up a connection whose data does not verify or that breaks the
// protocol, and at the third time the server.
func (d *download) lied(c *conn, err error) {
	s := c.server
	if c.lied || s.out() {
		return // told already
	}
	c.lied = true
	s.corrupts++
	verdict := "the connection is dropped"
	if s.out() {
		verdict = "it is not used any more"
	}
	d.event(s, "%v; %s", err, verdict)
	d.drop(c)
	if s.out() {
		for _, c := range slices.Clone(s.conns) {
			d.drop(c)
		}
	}
	if len(s.conns) == 0 {
		s.state = corrupt
	}
}

// drop closes a connection; its work is free at once. Its ended event follows.
func (d *download) drop(c *conn) {
	if c.closed {
		return
	}
	c.closed = true
	c.held = nil
	c.nc.Close()
	d.detach(c)
}

// detach takes a connection out of everything.
func (d *download) detach(c *conn) {
	s := c.server
	s.conns = slices.DeleteFunc(s.conns, func(o *conn) bool { return o == c })
	if c.joined {
		c.joined = false
		d.content.balancer.Leave(c.lane, time.Now())
	}
	if d.content != nil && d.content.asked == c {
		d.content.asked = nil
	}
}

func (d *download) onEnded(ctx context.Context, e ended, now time.Time) error {
	c, s := e.c, e.c.server
	delete(d.lanes, c.lane)
	if c.welcome == nil {
		if c.closed {
			s.dialing--
		} else {
			d.attemptFailed(ctx, s, c.why, e.err)
		}
		return d.settle(ctx, now)
	}
	var broken *wire.ProtocolError
	if !c.closed && errors.As(e.err, &broken) {
		d.lied(c, e.err)
	}
	ours := c.closed
	c.closed = true
	d.detach(c)
	if !ours && len(s.conns) == 0 {
		s.state = lost
		if isRefusal(e.err) {
			s.state = refused
		}
		d.trouble(s, fmt.Sprintf("%s: %v", s.state, plain(e.err)))
	}
	d.seekAgain(ctx, s)
	return d.settle(ctx, now)
}

// attemptFailed takes note that a connection did not come about.
func (d *download) attemptFailed(ctx context.Context, s *server, why purpose, err error) {
	s.dialing--
	if d.content != nil && d.content.balancer != nil && why != toSeek {
		d.content.balancer.NotOpened(s.index, time.Now())
	}
	if len(s.conns) > 0 {
		return
	}
	s.tried, s.fatal = true, nil
	if isRefusal(err) {
		s.fatal = err
	}
	d.ballot.fail(s.index)
	if s.state == seeking {
		s.state = refused
	}
	d.last = fmt.Errorf("server %d (%s): %w", s.number(), s.address, plain(err))
	d.trouble(s, fmt.Sprintf("refused: %v", plain(err)))
	d.seekAgain(ctx, s)
}

// seekAgain dials a server that has no connection, after a pause.
func (d *download) seekAgain(ctx context.Context, s *server) {
	if len(s.conns) > 0 || s.dialing > 0 || s.out() {
		return
	}
	pause := s.nextPause()
	if s.state == otherFile || s.fatal != nil && isFatal(s.fatal) {
		pause = uselessWait
	}
	d.dial(ctx, s, toSeek, pause)
}
