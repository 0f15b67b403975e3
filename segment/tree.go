package segment

import (
	"encoding/binary"
	"math/bits"
	"runtime"

	"lukechampine.com/blake3/guts"
)

// The BLAKE3 tree (https://github.com/BLAKE3-team/BLAKE3-specs, sections 2.1 and
// 2.5): leaves are chunks of 1 KiB, and the left child of every parent is a perfect
// tree, the largest that leaves something for the right. Thus every aligned
// power of two of chunks, segments included, is one subtree.

const (
	valueSize = 32
	groupSize = guts.MaxSIMD * guts.ChunkSize // what guts compresses at once, 16 KiB
	cacheLine = 64
)

// value is a chaining value: the hash of a subtree.
type value [8]uint32

// bytes returns v as it stands in a manifest and as b3sum prints it.
func (v value) bytes() (b [valueSize]byte) {
	for i, w := range v {
		binary.LittleEndian.PutUint32(b[4*i:], w)
	}
	return b
}

func valueOf(b []byte) (v value) {
	for i := range v {
		v[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return v
}

// spine holds the perfect subtrees, largest first, on the way down to the right
// edge of a tree. Its depth suffices for 2^32 leaves.
type spine struct {
	subtrees [33]value
	leaves   uint64
}

func (s *spine) depth() int { return bits.OnesCount64(s.leaves) }

// push adds a leaf that is known not to be the last one.
func (s *spine) push(v value) {
	depth := s.depth()
	s.leaves++
	for n := s.leaves; n&1 == 0; n >>= 1 {
		depth--
		v = guts.ChainingValue(guts.ParentNode(s.subtrees[depth], v, &guts.IV, 0))
	}
	s.subtrees[depth] = v
}

// top adds the last leaf and returns the node at the top of the tree, not yet
// compressed. There must be another leaf before the last.
func (s *spine) top(last value) guts.Node {
	depth := s.depth()
	n := guts.ParentNode(s.subtrees[depth-1], last, &guts.IV, 0)
	for i := depth - 2; i >= 0; i-- {
		n = guts.ParentNode(s.subtrees[i], guts.ChainingValue(n), &guts.IV, 0)
	}
	return n
}

// hasher computes the value of one segment. It allocates nothing and starts no
// goroutine.
type hasher struct {
	chunk uint64    // number in the file of the next chunk
	last  guts.Node // the group that came last: only its follower tells that it is an inner one
	any   bool
	spine spine
}

// reset begins a segment at offset bytes into the file.
func (h *hasher) reset(offset int64) {
	h.chunk = uint64(offset) / guts.ChunkSize
	h.any = false
	h.spine.leaves = 0
}

// write adds p, a multiple of 16 KiB long unless it is the last of the segment.
func (h *hasher) write(p []byte) {
	for len(p) >= groupSize {
		prefetch(p[:groupSize])
		h.add(guts.CompressBuffer((*[groupSize]byte)(p), groupSize, &guts.IV, h.chunk, 0))
		h.chunk += guts.MaxSIMD
		p = p[groupSize:]
	}
	if len(p) > 0 {
		h.add(compressTail(p, h.chunk))
	}
}

// prefetch reads one byte of each cache line of p. The vector code takes a block of each of 8 or 16 chunks in turn,
// a pattern that processors do not foresee: beyond the second cache it waits for every line.
func prefetch(p []byte) {
	var all byte
	for i := 0; i < len(p); i += cacheLine {
		all |= p[i]
	}
	runtime.KeepAlive(all) // else the compiler leaves the reading out
}

func (h *hasher) add(group guts.Node) {
	if h.any {
		h.spine.push(guts.ChainingValue(h.last))
	}
	h.last, h.any = group, true
}

// sum returns the value of the segment; root says that the segment is the whole file.
func (h *hasher) sum(root bool) value {
	n := h.last
	if !h.any { // the hash of nothing
		n = guts.CompressChunk(nil, &guts.IV, 0, 0)
	}
	if h.spine.leaves > 0 {
		n = h.spine.top(guts.ChainingValue(h.last))
	}
	if root {
		n.Flags |= guts.FlagRoot
	}
	return guts.ChainingValue(n)
}

// compressTail is for less than a group: the vector code of guts reads a whole one.
func compressTail(p []byte, chunk uint64) guts.Node {
	var group [groupSize]byte
	copy(group[:], p)
	return guts.CompressBuffer(&group, len(p), &guts.IV, chunk, 0)
}

// foldValues returns the root above the values of all segments of a file. The value
// of a lone segment is the root itself, and without segments it is the hash of nothing.
func foldValues(values []byte) Root {
	n := len(values) / valueSize
	switch n {
	case 0:
		var h hasher
		return h.sum(true).bytes()
	case 1:
		return Root(values)
	}
	var s spine
	for i := range n - 1 {
		s.push(valueOf(values[i*valueSize:]))
	}
	top := s.top(valueOf(values[(n-1)*valueSize:]))
	top.Flags |= guts.FlagRoot
	return value(guts.ChainingValue(top)).bytes()
}
