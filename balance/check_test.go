package balance

import "fmt"

// check verifies what must always hold: every segment is verified, or in the
// pool, or held by as many lanes as are counted; sums are right.
func (b *Balancer) check() error {
	holders := map[int]int{}
	for _, l := range b.lanes {
		if err := b.checkLane(l, holders); err != nil {
			return fmt.Errorf("lane %d: %w", l.id, err)
		}
	}
	reserved := map[int]bool{}
	for _, r := range b.reserves {
		for seg := r.run.First; seg < r.run.End(); seg++ {
			if reserved[seg] {
				return fmt.Errorf("segment %d is reserved twice", seg)
			}
			reserved[seg] = true
		}
	}
	undone, left, free := 0, int64(0), 0
	for seg := range b.segs {
		if err := b.checkSegment(seg, holders[seg], reserved[seg]); err != nil {
			return fmt.Errorf("segment %d: %w", seg, err)
		}
		if b.free.has(seg) {
			free++
		}
		if !b.done.has(seg) {
			undone++
			left += b.size(seg)
		}
	}
	if undone != b.undone || left != b.left || free != b.free.count {
		return fmt.Errorf("%d segments, %d bytes, %d free; noted %d, %d, %d", undone, left, free, b.undone, b.left, b.free.count)
	}
	return nil
}

// checkLane verifies the sums of a lane, and counts it as a holder of the segments that it wants.
func (b *Balancer) checkLane(l *lane, holders map[int]int) error {
	out, owed := int64(0), int64(0)
	for _, r := range l.reqs {
		here, kept := 0, int64(0)
		for i, state := range r.state {
			seg := r.run.First + i
			if state&wanted != 0 {
				if i >= r.keep || state&landed != 0 {
					return fmt.Errorf("it wants segment %d that will not come", seg)
				}
				holders[seg]++
			}
			if i >= r.keep {
				continue
			}
			kept += b.size(seg)
			if state&landed != 0 {
				here++
			} else {
				out += b.size(seg)
			}
		}
		if here != r.here || here >= r.keep {
			return fmt.Errorf("request %d: %d of %d landed, noted %d", r.id, here, r.keep, r.here)
		}
		if r.came < 0 || r.came > kept || b.whole(r) < r.upto {
			return fmt.Errorf("request %d: %d of %d bytes have come, up to segment %d", r.id, r.came, kept, r.upto)
		}
		owed += kept - r.came
	}
	if out != l.out || owed != l.owed {
		return fmt.Errorf("%d bytes are out, %d owed, noted %d, %d", out, owed, l.out, l.owed)
	}
	for i, g := range l.ghosts {
		if g.from > g.to || g.to > g.end || i > 0 && l.ghosts[i-1].req >= g.req {
			return fmt.Errorf("ghosts %v", l.ghosts)
		}
	}
	return nil
}

// checkSegment verifies that a segment is in one place only, or held as often as is noted.
func (b *Balancer) checkSegment(seg, holders int, reserved bool) error {
	free := b.free.has(seg)
	if b.done.has(seg) {
		if free || holders > 0 || b.shared(seg) {
			return fmt.Errorf("done, yet free or held")
		}
		return nil
	}
	if free && reserved {
		return fmt.Errorf("free, yet reserved")
	}
	want := 1
	if b.shared(seg) {
		want = 2
	}
	if free || reserved {
		want--
	}
	if holders != want {
		return fmt.Errorf("free %v, %d holders, %d noted", free, holders, want)
	}
	return nil
}
