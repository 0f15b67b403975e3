package client

import (
	"context"
	"time"

	"braid/segment"
)

// claim takes for had, until it is read back, what the earlier run says it had: so the
// servers are asked for the rest at once.
func (d *download) claim(c *content) {
	for i := range c.layout.Count() {
		switch {
		case c.part.Have(i):
			c.balancer.Have(i)
			d.found(c, i)
		case c.part.Claimed(i):
			c.balancer.Have(i)
			c.unread += int64(c.layout.Len(i))
		}
	}
	d.tellResumed(c)
}

// readBack reads what is claimed, beside the download.
func (d *download) readBack(ctx context.Context, c *content) {
	// An error is that of ctx: then nobody waits for the rest any more.
	_ = c.part.ReadBack(ctx, func(i int, verifies bool) { d.emit(readBack{c, i, verifies}) })
}

func (d *download) onReadBack(e readBack, now time.Time) {
	c := e.content
	if c != d.content {
		return // it was given up
	}
	c.unread -= int64(c.layout.Len(e.index))
	if e.verifies {
		c.part.Mark(segment.Run{First: e.index, Count: 1})
		d.found(c, e.index)
	} else {
		c.balancer.Lacks(e.index, now)
	}
	d.tellResumed(c)
}

// found counts a segment that -r has found.
func (d *download) found(c *content, i int) {
	n := int64(c.layout.Len(i))
	d.resumed += n
	d.view.then += n // it was not fetched
	d.view.history.Delivered(0, c.layout.Offset(i), n, c.layout.Size)
}

func (d *download) tellResumed(c *content) {
	if c.unread == 0 {
		d.tell.Printf("resumed: %d of %d bytes of %s are there and verified", d.resumed, c.layout.Size, c.name)
	}
}

// tellReading says once that it is the disk that is waited for, which nobody would know from speeds of 0.
func (d *download) tellReading(now time.Time) {
	c := d.content
	if c.allCame.IsZero() {
		c.allCame = now
	}
	if !c.toldAllCame && now.Sub(c.allCame) >= diskQuiet {
		c.toldAllCame = true
		d.tell.Printf("all that was missing of %s has come; what was there before is still being read and verified", c.name)
	}
}

// onlyReads reports whether nothing is left to fetch, as far as it is known, and what was claimed
// is still being read.
func (d *download) onlyReads() bool {
	c := d.content
	return c != nil && c.unread > 0 && c.balancer.Done()
}
