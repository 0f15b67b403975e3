package balance

import "fmt"

// check verifies what must always hold: every segment is verified, or in the
// pool, or held by as many lanes as are counted; sums are right.
func (b *Balancer) check() error {
	holders := map[int]int{}
	for _, l := range b.lanes {
		out, owed := int64(0), int64(0)
		for _, r := range l.reqs {
			here, kept := 0, int64(0)
			for i := range r.run.Count {
				seg := r.run.First + i
				if r.state[i]&wanted != 0 {
					if i >= r.keep || r.state[i]&landed != 0 {
						return fmt.Errorf("lane %d wants segment %d that will not come", l.id, seg)
					}
					holders[seg]++
				}
				if i < r.keep {
					kept += b.size(seg)
				}
				if i < r.keep && r.state[i]&landed == 0 {
					out += b.size(seg)
				}
				if i < r.keep && r.state[i]&landed != 0 {
					here++
				}
			}
			if here != r.here || here >= r.keep {
				return fmt.Errorf("lane %d request %d: %d of %d landed, noted %d", l.id, r.id, here, r.keep, r.here)
			}
			if r.came < 0 || r.came > kept || b.whole(r) < r.upto {
				return fmt.Errorf("lane %d request %d: %d of %d bytes have come, up to segment %d", l.id, r.id, r.came, kept, r.upto)
			}
			owed += kept - r.came
		}
		if out != l.out || owed != l.owed {
			return fmt.Errorf("lane %d: %d bytes are out, %d owed, noted %d, %d", l.id, out, owed, l.out, l.owed)
		}
		for i, g := range l.ghosts {
			if g.from >= g.to || i > 0 && l.ghosts[i-1].req >= g.req {
				return fmt.Errorf("lane %d: ghosts %v", l.id, l.ghosts)
			}
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
		if b.free.has(seg) {
			free++
		}
		if b.done.has(seg) {
			if b.free.has(seg) || holders[seg] > 0 || b.extra[seg] != 0 {
				return fmt.Errorf("segment %d is done, yet free or held", seg)
			}
			continue
		}
		undone++
		left += b.size(seg)
		want := 1 + b.extra[seg]
		if b.free.has(seg) || reserved[seg] {
			want = b.extra[seg]
		}
		if b.free.has(seg) && reserved[seg] {
			return fmt.Errorf("segment %d is free, yet reserved", seg)
		}
		if holders[seg] != want {
			return fmt.Errorf("segment %d: free %v, %d holders, %d noted", seg, b.free.has(seg), holders[seg], want)
		}
	}
	if undone != b.undone || left != b.left || free != b.free.count {
		return fmt.Errorf("%d segments, %d bytes, %d free; noted %d, %d, %d", undone, left, free, b.undone, b.left, b.free.count)
	}
	return nil
}
