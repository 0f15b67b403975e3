package client

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"braid/segment"
)

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
	d.forgo(s, c.share)
	d.tellOther(c)
	d.drop(c)
}

// tellOther says what a server has that is not used.
func (d *download) tellOther(c *conn) {
	d.trouble(c.server, fmt.Sprintf("holds another file: BLAKE3 %v, %d bytes; it is not used", c.key().root, c.key().size))
}
