package balance

import mbits "math/bits"

// bits is a set of segments.
type bits []uint64

func newBits(n int) bits { return make(bits, (n+63)/64) }

func (s bits) has(i int) bool { return s[i/64]>>(i%64)&1 != 0 }
func (s bits) add(i int)      { s[i/64] |= 1 << (i % 64) }
func (s bits) remove(i int)   { s[i/64] &^= 1 << (i % 64) }

// pool is a set of segments that knows its longest run of consecutive
// members. It is a bit set with a tree above the words; a node holds the
// longest run below it, and the runs at its left and right edge. Changing a
// range and finding the longest run take time logarithmic in the number of
// segments (plus one step for each 64 of them changed); 2.5 million segments
// need 2 MB.
type pool struct {
	words  bits
	nodes  []node // nodes[1] is the root; the leaves are nodes[leaves:]
	leaves int    // a power of two
	count  int
}

type node struct{ left, right, best int32 }

// newPool returns a pool with all segments of 0 … n-1 in it.
func newPool(n int) pool {
	p := pool{words: newBits(n), leaves: 1}
	for p.leaves < len(p.words) {
		p.leaves *= 2
	}
	p.nodes = make([]node, 2*p.leaves)
	if n > 0 {
		p.set(0, n, true)
	}
	return p
}

func (p *pool) has(seg int) bool { return p.words.has(seg) }

// put adds one segment, take removes the segments of [from, to).
func (p *pool) put(seg int)       { p.set(seg, seg+1, true) }
func (p *pool) take(from, to int) { p.set(from, to, false) }

func (p *pool) set(from, to int, member bool) {
	if from >= to {
		return
	}
	lo, hi := from/64, (to-1)/64
	for w := lo; w <= hi; w++ {
		mask := ^uint64(0)
		if w == lo {
			mask <<= from % 64
		}
		if w == hi {
			mask &= ^uint64(0) >> (63 - (to-1)%64)
		}
		old := p.words[w]
		if member {
			p.words[w] |= mask
		} else {
			p.words[w] &^= mask
		}
		p.count += mbits.OnesCount64(p.words[w]) - mbits.OnesCount64(old)
		p.nodes[p.leaves+w] = leafNode(p.words[w])
	}
	span := int32(64)
	for lo, hi = (lo+p.leaves)/2, (hi+p.leaves)/2; lo >= 1; lo, hi = lo/2, hi/2 {
		for i := lo; i <= hi; i++ {
			p.nodes[i] = pair(p.nodes[2*i], p.nodes[2*i+1], span)
		}
		span *= 2
	}
}

// leafNode describes one word.
func leafNode(w uint64) node {
	n := node{left: int32(mbits.TrailingZeros64(^w)), right: int32(mbits.LeadingZeros64(^w))}
	for ; w != 0; w &= w << 1 {
		n.best++
	}
	return n
}

// pair describes two neighbours of span segments each.
func pair(a, b node, span int32) node {
	n := node{left: a.left, right: b.right, best: max(a.best, b.best, a.right+b.left)}
	if a.left == span {
		n.left += b.left
	}
	if b.right == span {
		n.right += a.right
	}
	return n
}

// longest returns the longest run, the first of equals; its Count is 0 when
// the pool is empty.
func (p *pool) longest() Run {
	best := p.nodes[1].best
	if best == 0 {
		return Run{}
	}
	i, at, span := 1, 0, 64*p.leaves
	for i < p.leaves {
		span /= 2
		l, r := p.nodes[2*i], p.nodes[2*i+1]
		switch {
		case l.best == best:
			i = 2 * i
		case l.right+r.left == best:
			return Run{at + span - int(l.right), int(best)}
		default:
			i, at = 2*i+1, at+span
		}
	}
	for first := at; ; first++ {
		if n := p.run(first, int(best)); n == int(best) {
			return Run{first, n}
		}
	}
}

// run counts the members from seg on, up to most.
func (p *pool) run(seg, most int) int {
	n := 0
	for w := seg / 64; w < len(p.words) && n < most; w++ {
		off := 0
		if n == 0 {
			off = seg % 64
		}
		k := min(mbits.TrailingZeros64(^(p.words[w] >> off)), 64-off)
		n += k
		if off+k < 64 {
			break
		}
	}
	return min(n, most)
}
