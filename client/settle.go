package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"braid/balance"
	"braid/report"
	"braid/segment"
	"braid/wire"
)

// usable reports whether a connection's content is, or may become, ours.
func (d *download) usable(c *conn) bool {
	return !d.decided || c.key() == d.content.key
}

// wantPartial lets the partial download of the name that a server tells
// decide the content, where the user has not.
func (d *download) wantPartial(c *conn) {
	if !d.partial || d.ballot.size != nil || d.decided {
		return
	}
	root, layout, err := segment.PeekState(d.cfg.Output, segment.SafeName(c.welcome.Name))
	if err == nil && (d.ballot.want == nil || *d.ballot.want == root) {
		d.ballot.want, d.ballot.size = &root, &layout.Size
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
	d.challengeAll()
	c := d.content
	if c == nil {
		return nil
	}
	if d.decided && c.part != nil {
		if err := c.part.Decide(); err != nil {
			return err
		}
	}
	if c.balancer == nil && c.nothingThere {
		d.begin(c, now)
		c.balancer.Bound(allShares)
	}
	if c.balancer != nil {
		for conn := range d.conns() {
			d.join(conn, now)
		}
	}
	switch {
	case c.store != nil:
	case d.lacksManifest():
		d.seekManifest(now)
	case !d.busy && (d.decided || !c.waits):
		d.busy = true
		decided, m := d.decided, c.manifest
		d.tasks.Go(func() {
			outcome, err := d.open(ctx, c, m, decided)
			d.emit(opened{content: c, outcome: outcome, err: err})
		})
	}
	return nil
}

// lacksManifest reports whether a server must be asked for the manifest.
func (d *download) lacksManifest() bool {
	c := d.content
	return c != nil && c.store == nil && c.manifest == nil && !d.partialOf(c)
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
		for c := range d.conns() {
			d.tellOther(c)
		}
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
	if d.content == nil || d.content.key != k {
		d.choose(k)
	}
	if d.decided = ok && d.content != nil; d.decided {
		d.turnAway()
	}
	return nil
}

// choose begins with a content, and drops the one that was provisional.
func (d *download) choose(k key) {
	old := d.content
	d.giveUp()
	for c := range d.conns() {
		if c.key() != k {
			continue
		}
		name := d.nameOf(c)
		going := old != nil && old.part != nil && old.name == name // its files are on their way out
		leftover := !going && segment.Leftover(d.cfg.Output, name)
		_, err := os.Lstat(filepath.Join(d.cfg.Output, name))
		d.content = &content{
			key: k, layout: c.welcome.Layout, name: name, manifest: d.manifestOf(k),
			fromDisk: leftover, nothingThere: !leftover && errors.Is(err, fs.ErrNotExist),
		}
		return
	}
	// The server that had it has gone since: whoever comes next brings it.
}

// nameOf is what the file of a connection's content is called: as the server says, or as the partial
// download of that content that -r goes on with, which has its name from another server.
func (d *download) nameOf(c *conn) string {
	if d.partial {
		names, _ := segment.FindState(d.cfg.Output)
		for _, name := range names {
			if root, layout, err := segment.PeekState(d.cfg.Output, name); err == nil && root == c.key().root && layout == c.welcome.Layout {
				return name
			}
		}
	}
	return segment.SafeName(c.welcome.Name)
}

// manifestOf is the manifest of a content, if a connection has brought it already; nil: none has.
func (d *download) manifestOf(k key) *segment.Manifest {
	for c := range d.conns() {
		if c.key() == k && c.manifest != nil {
			return c.manifest
		}
	}
	return nil
}

// giveUp drops the content and what has been fetched of it. The files go when the disk has
// taken what is being written: until then, nothing else is opened under their names.
func (d *download) giveUp() {
	old := d.content
	d.content, d.decided = nil, false
	for c := range d.conns() {
		c.joined = false
	}
	if old == nil || old.part == nil {
		return
	}
	old.store.giveUp()
	d.busy = true
	d.tasks.Go(func() {
		old.store.discard()
		d.emit(discarded{})
	})
	d.kept, d.resumed, d.view.then = 0, 0, 0
	d.view.history.Forget()
	for _, s := range d.servers {
		s.bytes, s.bytesThen = 0, 0
	}
}

// turnAway tells of the servers that hold another file, and leaves them.
func (d *download) turnAway() {
	for c := range d.conns() {
		if c.key() != d.content.key && !d.challenges(c) {
			d.turnAwayFrom(c)
		}
	}
}

func (d *download) turnAwayFrom(c *conn) {
	s := c.server
	s.state, s.useful = otherFile, false
	if b := d.content.balancer; b != nil {
		b.Reserve(s.index, balance.Run{}, time.Now()) // nothing will come of it
	}
	d.tellOther(c)
	d.drop(c)
}

// tellOther says what a server has that is not used.
func (d *download) tellOther(c *conn) {
	d.trouble(c.server, fmt.Sprintf("holds another file: BLAKE3 %v, %d bytes; it is not used", c.key().root, c.key().size))
}

// seekManifest asks a server for the manifest, and when that one takes long
// another one: the one that has sent the most, as the manifest waits behind what
// a server has sent already. A fast server shows itself within a few packets, so nobody
// is asked before one has.
func (d *download) seekManifest(now time.Time) {
	c := d.content
	if c.asked != nil && now.Sub(c.askedAt) < max(manifestLimit, 4*c.asked.rtt) {
		return
	}
	var best *conn
	for conn := range d.conns() {
		if conn.key() == c.key && !conn.told.Load() && (best == nil || conn.got > best.got) {
			best = conn
		}
	}
	if best == nil || c.asked == nil && best.got < showing && best.share.parts > 0 && now.Sub(best.greeted) < housekeeping {
		return
	}
	best.told.Store(true)
	c.asked, c.askedAt = best, now
	if !best.welcome.Manifest {
		best.send(wire.GetManifest{})
	}
}

func (d *download) onManifested(e manifested) {
	w := e.c.welcome
	d.tasks.Go(func() {
		m, err := segment.NewManifest(w.Layout, w.Root, e.values)
		d.emit(checked{e.c, m, err})
	})
}

func (d *download) onChecked(ctx context.Context, e checked, now time.Time) error {
	if e.err != nil {
		d.lied(e.c, e.err)
		return d.settle(ctx, now)
	}
	e.c.manifest = e.manifest
	d.prove(e.c)
	if c := d.content; c != nil && c.key == e.c.key() && c.manifest == nil {
		c.manifest = e.manifest
	}
	return d.settle(ctx, now)
}

func (d *download) onOpened(ctx context.Context, e opened, now time.Time) error {
	c := e.content
	d.busy = false
	if c != d.content { // the vote went another way meanwhile
		e.outcome.release()
		return d.settle(ctx, now)
	}
	switch {
	case errors.Is(e.err, errUndecided):
		c.waits = true
		return d.settle(ctx, now)
	case errors.Is(e.err, segment.ErrNoState):
		how := ", starting from nothing"
		if segment.Leftover(d.cfg.Output, c.name) {
			how = " by the state file, reading back all of the part file"
		}
		d.tell.Printf("cannot resume%s: %v", how, e.err)
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
	c.store = newStore(c.part, d.env.disk)
	if e.outcome.dropped {
		d.tellDropped(c)
	}
	if c.balancer == nil {
		d.begin(c, now)
	}
	c.balancer.Bound(0)
	if e.outcome.resumed {
		d.resumed = c.part.HaveBytes()
		d.view.then += d.resumed // found, not fetched
		d.view.estimate = report.Estimate{}
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

// tellDropped says what has become of the partial download of an earlier run.
func (d *download) tellDropped(c *content) {
	hint := " (-r would have gone on with it)"
	if d.cfg.Resume {
		hint = "" // it could not, for what has been told
	}
	d.tell.Printf("dropped the partial download of an earlier run, %s%s", filepath.Base(c.part.Path()), hint)
}

// begin has the servers of a content given work. Where nothing is on disk, that need not wait for
// the manifest: it may take a slow server long, while a fast one runs dry. The shares of servers
// that have yet to answer are kept for them, as they may be sending them already.
func (d *download) begin(c *content, now time.Time) {
	c.balancer = balance.New(balance.Config{
		Size: c.layout.Size, SegmentSize: c.layout.SegmentSize,
		Servers: len(d.servers), MinStreams: max(d.cfg.Streams, 1), MaxStreams: d.maxStreams(),
		Behind: func(l balance.Lane) bool { c := d.lanes[l]; return c != nil && c.behind() },
	})
	if d.partial {
		return
	}
	for _, s := range d.servers {
		if !s.tried {
			c.balancer.Reserve(s.index, balance.Run(d.shareOf(s).run(c.layout)), now)
		}
	}
}

// maxStreams is how many connections a server may have.
func (d *download) maxStreams() int {
	if d.cfg.Streams > 0 {
		return d.cfg.Streams
	}
	return maxStreams
}

// join lets a connection take part in the download. What it brings is held until there is
// a part file, and lost with the connection. So one that was made again waits for the part file:
// the manifest must not come behind its data.
func (d *download) join(c *conn, now time.Time) {
	st := d.content.store
	switch {
	case c.closed:
	case c.key() != d.content.key:
		if d.decided && !d.challenges(c) {
			d.turnAwayFrom(c)
		}
	case st == nil && c.share.parts == 0:
	default:
		if !c.joined {
			d.enter(c, now)
		}
		if st != nil && c.store.Swap(st) != st {
			held := c.held
			c.held = nil
			d.verify(c, st, held)
		}
	}
}

// enter makes a connection known to the balancer, with what it was asked for in the greeting.
func (d *download) enter(c *conn, now time.Time) {
	c.joined = true
	b := d.content.balancer
	b.Join(c.lane, c.server.index, c.rtt, now)
	if c.welcome.Hardy {
		b.Hardy(c.server.index)
	}
	if c.share.parts > 0 {
		b.Adopt(c.lane, 0, balance.Run(c.share.run(d.content.layout)), now)
	}
	if c.challenged {
		b.Adopt(c.lane, proofID, balance.Run(c.lastSegment()), now)
	}
}
