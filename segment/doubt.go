package segment

import (
	"context"
	"errors"
)

// errFickle says that the same place of the disk reads differently from one moment to the next.
var errFickle = errors.New("it reads differently each time")

// doubt notes in the state file that the disk has failed to flush what was written.
// Systems tell of that once and then take the pages for clean: they read back well
// from memory, a second fsync succeeds, and yet they are not on the disk
// (https://lwn.net/Articles/752063/). So Resume has them read from the disk, where the system can
// be asked to, and written once more. The latter alone is not enough everywhere: ext4 leaves
// extents that it could not write marked as unwritten when the same pages are written again.
// If there is no noting it, there is no more to do.
func (p *Part) doubt() {
	_, _ = p.state.WriteAt([]byte{1}, doubtOffset(p.manifest))
}

// doubtful reports whether doubt was noted.
func (p *Part) doubtful() bool {
	var b [1]byte
	n, _ := p.state.ReadAt(b[:], doubtOffset(p.manifest))
	return n == 1 && b[0] != 0
}

// writeDoubtful writes what is had once more where there is doubt, so that the next
// fsync is about all of it.
func (p *Part) writeDoubtful(ctx context.Context) error {
	if !p.doubtful() {
		return nil
	}
	l := p.manifest.layout
	buf := Buffer(int(min(l.SegmentSize, l.Size)))
	for i := range l.Count() {
		if !p.have.has(i) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		b := buf[:l.Len(i)]
		if err := readFull(p.file, b, l.Offset(i)); err != nil {
			return diskError("read", p.Path(), err)
		}
		if !p.manifest.Verify(i, b) {
			return diskError("read", p.Path(), errFickle)
		}
		if err := p.Write(Run{i, 1}, b); err != nil {
			return err
		}
	}
	return nil
}

func doubtOffset(m *Manifest) int64 { return bitmapOffset(m) + int64(len(newBitmap(m.layout))) }
