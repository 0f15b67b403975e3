package client

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"braid/segment"
	"braid/wire"
)

// Received bytes are reported when so many have come, or so much time has
// passed since the last report: often enough for the balancer, without an event a packet.
const (
	reportBytes = 256 << 10
	reportTime  = 5 * time.Millisecond
)

// batch is how many bytes at most are read, verified and written at once where segments are
// smaller: a system call and an event for each segment of 16 KiB would cost a third more time.
const batch = 128 << 10

// read reads until the connection ends; the error is never nil.
func (c *conn) read(ctx context.Context) error {
	r := wire.NewReader(c.nc, wire.Server)
	if err := c.greet(r); err != nil {
		return err
	}
	for {
		m, err := r.Next()
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case wire.Data:
			if err := c.take(m); err != nil {
				return err
			}
			if err := c.readData(ctx, r, m); err != nil {
				return err
			}
		case wire.Manifest:
			if err := c.readManifest(m); err != nil {
				return err
			}
		case wire.Pong:
			if c.pings.Add(-1) < 0 {
				return &wire.ProtocolError{Reason: "PONG that answers no PING"}
			}
			if t := c.timed.Load(); t != nil && t.token == m.Token {
				c.timed.Store(nil)
				c.emit(ponged{c, time.Since(t.sent)})
			}
		case wire.Refuse:
			return &refusal{code: m.Code, text: m.Text}
		}
	}
}

// greet reads the preface and WELCOME, within a time limit.
func (c *conn) greet(r *wire.Reader) error {
	begun := time.Now()
	c.nc.SetReadDeadline(begun.Add(greetLimit))
	if err := r.Preface(); err != nil {
		return err
	}
	m, err := r.Next()
	if err != nil {
		return err
	}
	if m, ok := m.(wire.Refuse); ok {
		return &refusal{code: m.Code, text: m.Text}
	}
	w := m.(wire.Welcome)
	c.nc.SetReadDeadline(time.Time{})
	c.layout = w.Layout
	if c.share.parts > 0 {
		if run := c.share.run(w.Layout); run.Count > 0 {
			c.expect(w.Layout, 0, run)
		}
	}
	if w.Manifest {
		c.wanted = segment.ManifestSize(w.Layout)
	}
	c.emit(welcomed{c, &w, time.Since(begun)})
	if w.Manifest && c.wanted == 0 {
		c.emit(manifested{c: c}) // of an empty file: it is there already
	}
	return nil
}

// readManifest puts a piece of the manifest where it belongs.
func (c *conn) readManifest(m wire.Manifest) error {
	if c.wanted == 0 && !c.told.Load() {
		return &wire.ProtocolError{Reason: "MANIFEST that nobody asked for"}
	}
	if c.wanted == 0 {
		// Asked for by the download, after the greeting.
		c.wanted = segment.ManifestSize(c.layout)
	}
	if m.Offset != int64(len(c.values)) || m.Offset+int64(len(m.Values)) > c.wanted {
		return &wire.ProtocolError{Reason: fmt.Sprintf("MANIFEST of %d bytes at %d, want the rest from %d to %d", len(m.Values), m.Offset, len(c.values), c.wanted)}
	}
	c.values = append(c.values, m.Values...)
	c.emit(overhead{c, len(m.Values)})
	if int64(len(c.values)) == c.wanted {
		// The download checks it against the root: that takes a while for a large one.
		c.emit(manifested{c: c, values: c.values})
	}
	return nil
}

// readData reads the file bytes of a DATA message into segments.
func (c *conn) readData(ctx context.Context, r *wire.Reader, d wire.Data) error {
	at := d.Offset
	for left := d.Len; left > 0; {
		first := int(at / c.layout.SegmentSize)
		begin := int(at - c.layout.Offset(first))
		if c.buf == nil {
			c.buf = c.buffer()
		}
		n, err := c.readSome(ctx, r, c.buf[begin:min(len(c.buf), begin+left)])
		if err != nil {
			return err
		}
		at, left = at+int64(n), left-n
		c.pending, c.req, c.offset = c.pending+n, d.ID, at
		if now := time.Now(); c.pending >= reportBytes || now.Sub(c.reported) >= reportTime {
			c.report(now)
		}
		if run := c.layout.Whole(first, begin+n); run.Count > 0 {
			c.landed(run, begin+n)
		}
	}
	return nil
}

// readSome reads once, within the limit of the download.
func (c *conn) readSome(ctx context.Context, r io.Reader, p []byte) (int, error) {
	if c.limiter != nil {
		p = p[:min(len(p), c.limiter.Burst())]
	}
	n, err := r.Read(p)
	if err != nil {
		return n, err
	}
	if c.limiter != nil {
		if err := c.limiter.WaitN(ctx, n); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (c *conn) report(now time.Time) {
	if c.pending > 0 {
		c.emit(received{c, c.pending, c.req, c.offset})
	}
	c.pending, c.reported = 0, now
}

// buffer returns one for what comes next: whole segments.
func (c *conn) buffer() []byte {
	return c.keepers.buffers.get(int(min(max(c.layout.SegmentSize, batch), c.layout.Size)))
}

// landed sees to a run of whole segments at the start of the n bytes in buf: it goes to the keepers, or is held
// for later when the content is not known yet. The rest, the start of another segment, goes to the start of a
// buffer.
func (c *conn) landed(run segment.Run, n int) {
	size := c.layout.RunBytes(run)
	data, rest := c.buf[:size], c.buf[size:n]
	c.report(time.Now())
	st := c.store.Load()
	if st == nil {
		c.emit(heldBack{c, piece{c.req, run, bytes.Clone(data)}})
		copy(c.buf, rest)
		return
	}
	c.buf = nil
	if len(rest) > 0 { // once the keepers have data, it is no longer ours
		c.buf = c.buffer()
		copy(c.buf, rest)
	}
	c.keeping.Add(1)
	c.kept.Add(1)
	c.keepers.take(delivery{piece: piece{c.req, run, data}, c: c, st: st})
}

// put writes what of a piece has verified, and tells the download. Any goroutine may call it.
func (c *conn) put(d delivery) {
	defer c.kept.Done()
	kept, err := d.st.put(d.good, d.data)
	c.keeping.Add(-1)
	c.emit(landed{c, d.req, kept, cmp.Or(err, d.err)})
}
