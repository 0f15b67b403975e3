package segment

import (
	"fmt"
	"math/bits"
)

const (
	minSegment = 16 << 10
	maxSegment = 4 << 20

	// maxSize bounds the size that a peer may claim, in bytes.
	maxSize = 1 << 44
)

// Layout is how a file is cut into segments: all of SegmentSize bytes but the
// last, which may be shorter. Sizes are in bytes.
type Layout struct {
	Size        int64 // of the file
	SegmentSize int64 // a power of two
}

// LayoutOf returns the layout of a file of size bytes: its segments have the power
// of two at or above size/4096, at least 16 KiB, at most 4 MiB.
func LayoutOf(size int64) Layout {
	seg := int64(minSegment)
	for seg < maxSegment && seg*4096 < size {
		seg *= 2
	}
	return Layout{Size: size, SegmentSize: seg}
}

// Check returns an error unless a layout, which a peer has sent, is one that LayoutOf
// gives, of a size between 0 and 16 TiB. The other methods rely on that.
func (l Layout) Check() error {
	if l.Size < 0 || l.Size > maxSize {
		return fmt.Errorf("a file of %d bytes: must be 0 to %d", l.Size, int64(maxSize))
	}
	if want := LayoutOf(l.Size).SegmentSize; l.SegmentSize != want {
		return fmt.Errorf("segments of %d bytes: must be %d for a file of %d", l.SegmentSize, want, l.Size)
	}
	return nil
}

// Count returns the number of segments, 0 for an empty file.
func (l Layout) Count() int {
	return int((l.Size + l.SegmentSize - 1) / l.SegmentSize)
}

// Offset returns where segment i starts, in bytes from the start of the file.
func (l Layout) Offset(i int) int64 { return int64(i) * l.SegmentSize }

// Len returns the length of segment i in bytes, for i from 0 to Count()-1.
func (l Layout) Len(i int) int {
	return int(min(l.SegmentSize, l.Size-l.Offset(i)))
}

// RunBytes returns how many bytes of the file the segments of r have together.
func (l Layout) RunBytes(r Run) int64 {
	if r.Count <= 0 {
		return 0
	}
	return min(l.Offset(r.End()), l.Size) - l.Offset(r.First)
}

// Whole returns the run of those segments that n bytes from the start of segment first on hold whole.
func (l Layout) Whole(first, n int) Run {
	if l.Offset(first)+int64(n) >= l.Size {
		return Run{first, l.Count() - first}
	}
	return Run{first, n / int(l.SegmentSize)}
}

// Run is a stretch of consecutive segments.
type Run struct {
	First, Count int
}

// End returns the number of the segment behind the last one of the run.
func (r Run) End() int { return r.First + r.Count }

// Share returns the run at the beginning of part k of n (part counts from 0). The
// part starts at segment floor(part*Count/parts) and ends where the next one
// starts; the run has no more of it than limit bytes, rounded up to whole segments,
// and at least one segment unless the part is empty. It serves for the first
// request to a server, made before the size is known: client and server compute
// the same. A part that does not exist has an empty run.
func Share(l Layout, part, parts int, limit int64) Run {
	if part < 0 || part >= parts {
		return Run{}
	}
	count := uint64(l.Count())
	first := int(mulDiv(uint64(part), count, uint64(parts)))
	end := int(mulDiv(uint64(part)+1, count, uint64(parts)))
	most := int64(1)
	if limit > 0 {
		most = (limit-1)/l.SegmentSize + 1
	}
	return Run{First: first, Count: int(min(int64(end-first), most))}
}

// mulDiv returns a*b/c without overflow, for a ≤ c.
func mulDiv(a, b, c uint64) uint64 {
	if a == c {
		return b
	}
	hi, lo := bits.Mul64(a, b)
	q, _ := bits.Div64(hi, lo, c)
	return q
}
