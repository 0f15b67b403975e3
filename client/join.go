package client

import (
	"time"

	"braid/balance"
)

// begin has the servers of a content given work. Where nothing is on disk, that need not wait for
// the manifest: it may take a slow server long, while a fast one runs dry. The shares of servers
// that have yet to answer are kept for them, as they may be sending them already.
func (d *download) begin(c *content, now time.Time) {
	c.balancer = balance.New(balance.Config{
		Size: c.layout.Size, SegmentSize: c.layout.SegmentSize,
		Servers: len(d.servers), MinStreams: max(d.cfg.Streams, 1), MaxStreams: d.maxStreams(),
		Crowded: d.env.Crowded,
		Behind:  func(l balance.Lane) bool { c := d.lanes[l]; return c != nil && c.behind() },
		OutOfOrder: func(l balance.Lane) int64 {
			if c := d.lanes[l]; c != nil {
				return c.outOfOrder()
			}
			return 0
		},
	})
	if d.partial {
		return
	}
	for _, s := range d.servers {
		if !s.tried {
			c.balancer.Reserve(s.index, balance.Run(d.shareOf(s, toSeek).run(c.layout)), now)
		}
		if s.starting {
			c.balancer.Reserve(s.index, balance.Run(d.shareOf(s, toStart).run(c.layout)), now)
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
	c.hurry(d.hurries)
	b := d.content.balancer
	b.Join(c.lane, c.server.index, c.rtt, now)
	if c.welcome.Hardy {
		b.Hardy(c.server.index)
	}
	if c.why.begins() { // one is enough, if the other is there already
		b.Brief(c.lane)
	}
	if c.share.parts > 0 {
		b.Adopt(c.lane, 0, balance.Run(c.share.run(d.content.layout)), now)
	}
	if c.challenged {
		b.Adopt(c.lane, proofID, balance.Run(c.lastSegment()), now)
	}
}
