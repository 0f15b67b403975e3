package segment

import (
	"context"
	"iter"
	"slices"
)

// writeBackFrom is how much, in bytes, lies in memory before the disk is asked to begin with it.
// Less leaves less for the fsync at the end, and makes smaller writes of it.
const writeBackFrom = 8 << 20

// writeBackMost bounds one call, in bytes, and so for how long a slow disk keeps WriteBack from
// seeing that ctx has ended.
const writeBackMost = maxSegment

// WriteBack has the system begin to write to the disk what has come, 8 MiB by 8 MiB, until ctx
// ends. Left to itself, Linux would keep up to a tenth of the memory for up to 30 s, and Finish would
// wait for all of that. WriteBack is to have returned before Finish, Close or Discard is called. What
// fails here the fsync of Finish tells.
func (p *Part) WriteBack(ctx context.Context) {
	for {
		select {
		case <-p.unflushed.due:
		case <-ctx.Done():
			return
		}
		for offset, n := range p.takeUnflushed() {
			if ctx.Err() != nil {
				return
			}
			_ = p.disk.writeBack(p.file, offset, n)
		}
	}
}

// unflushed is what was written since WriteBack last looked. Part.writing guards it.
type unflushed struct {
	segments []int
	bytes    int
	due      chan struct{}
}

func (u *unflushed) add(segment, bytes int) {
	u.segments = append(u.segments, segment)
	u.bytes += bytes
	if u.bytes < writeBackFrom {
		return
	}
	select {
	case u.due <- struct{}{}:
	default: // told already
	}
}

// takeUnflushed empties p.unflushed and goes through the stretches of the file that it named.
func (p *Part) takeUnflushed() iter.Seq2[int64, int64] {
	p.writing.Lock()
	segments := p.unflushed.segments
	p.unflushed.segments, p.unflushed.bytes = nil, 0
	p.writing.Unlock()

	l := p.manifest.layout
	slices.Sort(segments)
	return func(yield func(offset, n int64) bool) {
		var offset, n int64
		for _, i := range segments {
			length := int64(l.Len(i))
			if n > 0 && (l.Offset(i) != offset+n || n+length > writeBackMost) {
				if !yield(offset, n) {
					return
				}
				n = 0
			}
			if n == 0 {
				offset = l.Offset(i)
			}
			n += length
		}
		if n > 0 {
			yield(offset, n)
		}
	}
}
