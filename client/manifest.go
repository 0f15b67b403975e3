package client

import (
	"context"
	"time"

	"braid/segment"
	"braid/wire"
)

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

// manifestOf is the manifest of a content, if a connection has brought it already; nil: none has.
func (d *download) manifestOf(k key) *segment.Manifest {
	for c := range d.conns() {
		if c.key() == k && c.manifest != nil {
			return c.manifest
		}
	}
	return nil
}

// askEarly has the first connection of a download ask for the manifest with its greeting, unless the server
// is far: then it comes before the file. Asked for later it waits behind what has been sent, and
// that may be most of a small file, as this machine is no faster than a near server.
func (d *download) askEarly(c *conn, took time.Duration) {
	if d.early == nil && d.content == nil && c.share.parts > 0 && took < startAfter {
		d.early = c
		c.told.Store(true)
		c.send(wire.GetManifest{})
	}
}

// seekManifest asks a server for the manifest, and when that one takes long
// another one: the one that has sent the most, as the manifest waits behind what
// a server has sent already. A fast server shows itself within a few packets, so nobody
// is asked before one has; nor on a connection that is soon closed.
func (d *download) seekManifest(now time.Time) {
	c := d.content
	if e := d.early; e != nil && !e.closed && now.Sub(e.begun) < earlyLimit {
		return
	}
	if c.asked != nil && now.Sub(c.askedAt) < max(manifestLimit, 4*c.asked.rtt) {
		return
	}
	var best *conn
	for conn := range d.conns() {
		brief := conn.why == toStart && len(conn.server.conns) > 1
		if conn.key() == c.key && !brief && !conn.told.Load() && (best == nil || conn.got > best.got) {
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
