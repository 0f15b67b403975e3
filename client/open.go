package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"braid/segment"
)

// opening is how opening the part file came out.
type opening struct {
	part     *segment.Part
	complete string // path of a file that is complete already; then part is nil
	resumed  bool
	dropped  bool // what an earlier run had left
}

// release gives up a part that is not used. One that was there before stays.
func (o opening) release() {
	switch {
	case o.part == nil:
	case o.resumed:
		o.part.Close()
	default:
		o.part.Discard()
	}
}

// errUndecided means that opening now would drop or refuse something, or end the download, which a
// provisional content has no right to.
var errUndecided = errors.New("the content is not decided")

// open makes the part file ready. It may read files, so it runs beside the
// download. m is the content's manifest, nil if that is to be found on disk.
func (d *download) open(ctx context.Context, c *content, m *segment.Manifest, decided bool) (opening, error) {
	outcome, err := d.openNow(ctx, c, m, decided)
	if err != nil && !decided && !errors.Is(err, segment.ErrNoState) {
		err = errUndecided // it may be too large for the disk, and nobody's wish
	}
	return outcome, err
}

func (d *download) openNow(ctx context.Context, c *content, m *segment.Manifest, decided bool) (opening, error) {
	path := filepath.Join(d.cfg.Output, c.name)
	info, missing := os.Lstat(path)
	if missing == nil && info.IsDir() {
		return opening{}, inTheWay(path, "there is a folder of this name, which no file replaces")
	}
	if d.cfg.Resume {
		part, err := d.resume(ctx, c.name, m, decided)
		if err == nil {
			return d.goOn(ctx, c, part, path)
		}
		if !errors.Is(err, segment.ErrNoState) || m == nil {
			return opening{}, err
		}
	}
	leftover := segment.Leftover(d.cfg.Output, c.name)
	if !decided && (leftover || missing == nil) {
		return opening{}, errUndecided
	}
	same, err := d.existing(ctx, path, m)
	switch {
	case err != nil:
		return opening{}, err
	case same != nil && d.cfg.Resume:
		return opening{complete: path}, segment.Drop(d.cfg.Output, c.name)
	}
	create := segment.Create
	if !decided {
		create = segment.CreateUndecided
	}
	part, err := create(d.cfg.Output, c.name, m)
	if err != nil {
		return opening{}, err
	}
	part.Overwrite, part.Replaces = d.cfg.Overwrite, same
	return opening{part: part, dropped: leftover}, nil
}

// resume opens the partial download that -r goes on with: as its state file says, or, where that is
// lost and the content is decided, by looking at all of it.
func (d *download) resume(ctx context.Context, name string, m *segment.Manifest, decided bool) (*segment.Part, error) {
	part, err := segment.Resume(ctx, d.cfg.Output, name)
	if errors.Is(err, segment.ErrNoState) && m != nil && decided {
		return segment.Salvage(ctx, d.cfg.Output, name, m)
	}
	return part, err
}

// goOn takes a partial download that is there, unless it cannot or need not become the file.
func (d *download) goOn(ctx context.Context, c *content, part *segment.Part, path string) (opening, error) {
	if err := d.fits(part, c); err != nil {
		return opening{}, err
	}
	same, err := d.existing(ctx, path, part.Manifest())
	switch {
	case same != nil:
		return opening{complete: path}, part.Discard()
	case err != nil:
		part.Close()
		return opening{}, err
	}
	part.Overwrite = d.cfg.Overwrite
	return opening{part: part, resumed: true}, nil
}

// existing looks at what is under the final name: same is a file that has the content already. Other
// content is an error without --overwrite.
func (d *download) existing(ctx context.Context, path string, m *segment.Manifest) (same os.FileInfo, err error) {
	if d.cfg.Overwrite && !d.cfg.Resume {
		return nil, nil // whatever it is, it is fetched and replaced
	}
	same, exists, err := segment.CheckExisting(ctx, path, m)
	if err == nil && exists && same == nil && !d.cfg.Overwrite {
		err = inTheWay(path, "there is a file of this name with other content; --overwrite replaces it")
	}
	return same, err
}

// inTheWay is the refusal to replace what has the file's name.
func inTheWay(path, reason string) error {
	return &segment.DiskError{Op: "keep", Path: path, Err: errors.New(reason)}
}

// fits checks that a resumed part is of the content that was chosen.
func (d *download) fits(part *segment.Part, c *content) error {
	m := part.Manifest()
	switch {
	case m.Root() == c.key.root && m.Layout() == c.layout:
		return nil
	case m.Root() == c.key.root: // the servers have proved another size
		part.Discard()
		return fmt.Errorf("%w: that one is of %d bytes, the file has %d", segment.ErrNoState, m.Layout().Size, c.key.size)
	}
	part.Close()
	return &IntegrityError{Reason: fmt.Sprintf("the partial download in %s is of the content with BLAKE3 %v, the servers offer %v; without -r it is dropped", d.cfg.Output, m.Root(), c.key.root)}
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
	work := []func(context.Context){c.part.WriteBack}
	if c.resumed {
		d.claim(c)
		work = append(work, func(ctx context.Context) { d.readBack(ctx, c) })
	}
	c.store.start(ctx, &d.tasks, work...)
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
