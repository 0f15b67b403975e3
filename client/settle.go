package client

import (
	"context"
	"time"
)

// usable reports whether a connection's content is, or may become, ours.
func (d *download) usable(c *conn) bool {
	return !d.decided || c.key() == d.content.key
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
