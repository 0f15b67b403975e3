package client

import (
	"context"
	"errors"
	"time"

	"braid/segment"
	"braid/wire"
)

// A root that the user or the partial download names leaves one thing open: the size. It is part
// of no hash, and a manifest that folds up to the root may name inner nodes of the tree as
// segments. But the last segment, once verified, proves it. So the first answer is
// fetched; whoever claims another size of the same root is asked for its last segment
// beside, and when that verifies, the content that was begun was a lie.

// proofID is the request for the last segment. The first request of the greeting is 0.
const proofID = 1

// errSize is a size that the last segment disproves.
var errSize = errors.New("claims a size that is not the file's")

// challengeAll asks those who claim another size for a proof.
func (d *download) challengeAll() {
	if d.ballot.want == nil || d.ballot.proven != nil {
		return
	}
	for c := range d.conns() {
		if d.challenges(c) && !c.challenged {
			d.challenge(c)
		}
	}
}

// challenges reports whether a connection's content may still take the place of the one that
// was chosen.
func (d *download) challenges(c *conn) bool {
	b := d.ballot
	return b.want != nil && b.proven == nil && c.key().root == *b.want && (d.content == nil || c.key() != d.content.key)
}

func (d *download) challenge(c *conn) {
	c.challenged = true
	if !c.welcome.Manifest && !c.told.Swap(true) {
		c.send(wire.GetManifest{})
	}
	if last := c.lastSegment(); last.Count > 0 {
		c.ask(c.welcome.Layout, proofID, last)
	}
	d.prove(c)
}

// lastSegment is empty for an empty file.
func (c *conn) lastSegment() segment.Run {
	n := c.welcome.Layout.Count()
	return segment.Run{First: max(n-1, 0), Count: min(n, 1)}
}

// prove checks the last segment of a connection that was asked for it, when it is there.
func (d *download) prove(c *conn) {
	if !c.challenged || c.manifest == nil || c.proving || c.closed || d.ballot.proven != nil {
		return
	}
	last := c.lastSegment()
	if last.Count == 0 {
		d.tasks.Go(func() { d.emit(proved{c: c}) })
		return
	}
	for _, p := range c.held {
		if i := last.First - p.run.First; 0 <= i && i < p.run.Count {
			m, data := c.manifest, p.data[c.welcome.Layout.Offset(i):]
			c.proving = true
			d.tasks.Go(func() {
				var err error
				if !m.Verify(last.First, data) {
					err = errSize
				}
				d.emit(proved{c, err})
			})
			return
		}
	}
}

func (d *download) onProved(ctx context.Context, e proved, now time.Time) error {
	switch {
	case e.err != nil:
		d.lied(e.c, e.err)
	case d.ballot.proven == nil:
		d.sizeIs(e.c.key())
	}
	return d.settle(ctx, now)
}

// sizeIs ends all doubt about the size of the root that is wanted.
func (d *download) sizeIs(k key) {
	d.ballot.proven = &k
	switch {
	case d.content != nil && d.content.key == k:
		d.turnAway()
	case d.content != nil:
		d.tell.Printf("the file has %d bytes, not %d: what was begun is given up", k.size, d.content.key.size)
		d.giveUp()
	}
	for _, s := range d.servers {
		if len(s.conns) > 0 && s.conns[0].key() == k && s.state != connected && s.state != stalled {
			d.greetAgain(s)
		}
	}
}
