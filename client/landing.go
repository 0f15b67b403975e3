package client

import (
	"errors"
	"slices"
	"time"

	"braid/segment"
)

func (d *download) onHeldBack(e heldBack) {
	if st := e.c.store.Load(); st != nil {
		d.verify(e.c, st, []piece{e.piece})
		return
	}
	if !e.c.closed {
		e.c.held = append(e.c.held, e.piece)
		d.prove(e.c)
	}
}

// verify verifies and writes what came before the content was known.
func (d *download) verify(c *conn, st *store, held []piece) {
	if len(held) == 0 {
		return
	}
	d.tasks.Go(func() {
		for _, p := range held {
			kept, err := keep(st, p.run, p.data)
			d.emit(landed{c, p.req, kept, err})
		}
	})
}

func (d *download) onReceived(c *conn, n int, now time.Time) {
	d.arrived += int64(n)
	c.server.arrived += int64(n)
	c.got += int64(n)
	if d.lacksManifest() {
		d.seekManifest(now)
	}
	if !c.joined {
		return
	}
	if c.server.answers() {
		d.answered = now
	}
	d.content.balancer.Received(c.lane, n, now)
	if c.server.state == stalled {
		d.greetAgain(c.server)
	}
}

func (d *download) onLanded(e landed, now time.Time) error {
	c := e.c
	if !d.ours(c) {
		return nil // of a content that was given up
	}
	if e.run.Count > 0 {
		c.server.hellos, c.server.pause = 0, 0
	}
	b := d.content.balancer
	first := segment.Run{First: e.run.First} // of run, what has not come before
	for i := e.run.First; i < e.run.End(); i++ {
		if b.Verified(c.lane, e.req, i, now) {
			first.Count++
			continue
		}
		d.delivered(c.server, first)
		first = segment.Run{First: i + 1}
	}
	d.delivered(c.server, first)
	if errors.Is(e.err, errCorrupt) {
		b.Rejected(c.lane, e.req, e.run.End(), now)
		d.lied(c, e.err)
		return nil
	}
	return e.err
}

// delivered counts a run, which may be empty, for the server that it came from first.
func (d *download) delivered(s *server, run segment.Run) {
	if run.Count == 0 {
		return
	}
	l := d.content.layout
	n := l.RunBytes(run)
	d.content.part.Mark(run)
	d.kept += n
	s.bytes += n
	d.view.history.Delivered(s.number(), l.Offset(run.First), n, d.size())
	if run.End() == l.Count() && d.ballot.want != nil && d.ballot.proven == nil {
		d.sizeIs(d.content.key)
	}
}

// ours reports whether what a connection fetches goes into the file that is wanted.
func (d *download) ours(c *conn) bool {
	st := c.store.Load()
	return st != nil && d.content != nil && st == d.content.store
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
		d.withdraw(s)
	}
	if len(s.conns) == 0 {
		s.state = corrupt
	}
}

// allOut reports whether every server has lied too often.
func (d *download) allOut() bool {
	return !slices.ContainsFunc(d.servers, func(s *server) bool { return !s.out() })
}

// withdraw takes back the vote of a server that is out. If nobody else had its
// content, that content was its lie: the others vote again. Not so where something of a content
// that is wanted has verified, nor where nobody is left to vote: that stays, for -r.
func (d *download) withdraw(s *server) {
	d.ballot.withdraw(s.index)
	c := d.content
	if c == nil || d.ballot.supports(c.key) || c.resumed || d.kept > 0 && (d.ballot.want != nil || d.allOut()) {
		return
	}
	d.tell.Printf("nobody else has that content: it is given up, and the others decide")
	d.giveUp()
	for _, other := range d.servers {
		if other.state == otherFile {
			other.state, other.told = seeking, ""
			other.wake()
		}
	}
}
