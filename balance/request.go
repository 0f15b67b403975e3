package balance

import "slices"

// request is a run asked for on a lane. The lane holds the wanted segments.
type request struct {
	id    uint32
	run   Run
	keep  int    // segments not cancelled
	state []byte // of each segment: wanted, landed
	here  int    // landed ones below keep
	upto  int    // index after the last one landed
	came  int64  // bytes of those below keep that have come
}

const (
	wanted byte = 1 << iota
	landed
)

func newRequest(id uint32, run Run) *request {
	return &request{id: id, run: run, keep: run.Count, state: make([]byte, run.Count)}
}

// enqueue puts a request behind those that the lane has.
func (b *Balancer) enqueue(l *lane, r *request) {
	if l.owed == 0 {
		l.busy = b.now
		if l.ghostsBefore(l.nextID) == 0 {
			l.awaited = b.now
		}
		l.meter.pause()
	}
	l.reqs = append(l.reqs, r)
	l.out += b.span(r.run.First, r.keep)
	l.owed += b.span(r.run.First, r.keep)
	b.watch(l)
}

// claim makes the lane the holder of what is free in its request, then cuts
// off what follows the last part worth having. Data that is not wanted but
// lies before wanted data is paid for, so the prefix with the best balance
// is kept, a useless segment counting double.
func (b *Balancer) claim(l *lane, r *request) {
	balance, best, keep := 0, 0, r.upto
	for i := r.upto; i < r.keep; i++ {
		if r.state[i]&wanted != 0 || b.free.has(r.run.First+i) {
			balance++
		} else {
			balance -= 2
		}
		if balance > best {
			best, keep = balance, i+1
		}
	}
	for i := r.upto; i < keep; i++ {
		if seg := r.run.First + i; b.free.has(seg) {
			b.free.take(seg, seg+1)
			r.state[i] |= wanted
		}
	}
	b.cut(l, r, keep)
}

// cut shortens a request to keep segments, or as near to it as what has
// come allows. What the lane held beyond is free again.
func (b *Balancer) cut(l *lane, r *request, keep int) {
	keep = max(keep, r.upto, b.whole(r))
	if keep >= r.keep {
		return
	}
	b.noteGhost(l, r, keep)
	for i := keep; i < r.keep; i++ {
		if r.state[i]&wanted != 0 {
			r.state[i] &^= wanted
			b.release(r.run.First + i)
		}
	}
	kept := b.span(r.run.First, keep)
	came := min(r.came, kept)
	l.out -= b.span(r.run.First, r.keep) - kept
	l.owed -= b.missing(r) - (kept - came)
	r.keep, r.came = keep, came
	b.orders = append(b.orders, Order{Kind: Shorten, Lane: l.id, Server: l.server.no, ID: r.id, Keep: keep})
	b.settle(l, r)
}

// trim cuts off the end of a request that nobody wants any more.
func (b *Balancer) trim(l *lane, r *request) {
	keep := r.keep
	for keep > r.upto && r.state[keep-1]&wanted == 0 {
		keep--
	}
	b.cut(l, r, keep)
}

// missing is the number of bytes of a request that have not come.
func (b *Balancer) missing(r *request) int64 { return b.span(r.run.First, r.keep) - r.came }

// whole is the number of segments of a request that have come.
func (b *Balancer) whole(r *request) int {
	if b.missing(r) == 0 {
		return r.keep
	}
	return int(r.came / b.cfg.SegmentSize)
}

// before is the number of bytes that come before segment i of a request, ghosts included.
func (b *Balancer) before(l *lane, r *request, i int) int64 {
	n := l.ghostsBefore(r.id)
	for _, o := range l.reqs {
		if o == r {
			break
		}
		n += b.missing(o)
	}
	return n + max(b.span(r.run.First, i)-r.came, 0)
}

// due is the number of bytes that come before the answer to a new request.
func (b *Balancer) due(l *lane) int64 {
	n := l.owed
	if b.now.Sub(l.last) < l.rtt+firstWait {
		n += l.ghostsBefore(l.nextID)
	}
	return n
}

// reach notes that a lane has brought what it was asked for up to an offset of a request's.
func (b *Balancer) reach(l *lane, req uint32, offset int64) {
	for _, r := range l.reqs {
		if r.id > req {
			break
		}
		came := b.span(r.run.First, r.keep)
		if r.id == req {
			came = min(came, offset-int64(r.run.First)*b.cfg.SegmentSize)
		}
		if came > r.came {
			l.owed -= came - r.came
			r.came = came
		}
	}
	for len(l.ghosts) > 0 && (l.ghosts[0].req < req || l.ghosts[0].req == req && l.ghosts[0].end <= offset) {
		l.ghosts = l.ghosts[1:]
	}
	if len(l.ghosts) > 0 && l.ghosts[0].req == req && l.ghosts[0].from < offset {
		g := &l.ghosts[0]
		g.from, g.to = offset, max(g.to, min(offset+stillComing, g.end))
	}
}

// noteLanded notes that a segment came on a lane for a request, and ends the lane's hold on it
// there. It reports whether there was one; the caller says what becomes of the segment.
func (b *Balancer) noteLanded(l *lane, req uint32, seg int) (held bool) {
	b.reach(l, req, int64(seg)*b.cfg.SegmentSize+b.size(seg))
	at := slices.IndexFunc(l.reqs, func(r *request) bool { return r.id == req })
	if at < 0 {
		return false
	}
	r := l.reqs[at]
	i := seg - r.run.First
	if i < 0 || i >= r.keep || r.state[i]&landed != 0 {
		return false // cancelled too late
	}
	held = r.state[i]&wanted != 0
	r.state[i] = landed
	r.here++
	r.upto = max(r.upto, i+1)
	l.out -= b.size(seg)
	b.settle(l, r)
	return held
}

// settle forgets a request of which nothing more is to come.
func (b *Balancer) settle(l *lane, r *request) {
	if r.here < r.keep {
		return
	}
	if i := slices.Index(l.reqs, r); i >= 0 {
		l.reqs = slices.Delete(l.reqs, i, i+1)
	}
	if len(l.reqs) == 0 {
		l.meter.pause()
	}
}

// release lets go of one hold on a segment, or of the reserve that it is in.
func (b *Balancer) release(seg int) {
	switch {
	case b.done.has(seg):
	case b.shared(seg):
		delete(b.twice, seg)
	default:
		b.free.put(seg)
	}
}

// finish marks a segment as verified, and lets its holders off; held says that
// the hold of one of them has ended already.
func (b *Balancer) finish(seg int, held bool) {
	b.done.add(seg)
	b.undone--
	b.left -= b.size(seg)
	if b.free.has(seg) {
		b.free.take(seg, seg+1)
		return
	}
	holders := 1
	if b.shared(seg) {
		holders = 2
		delete(b.twice, seg)
	}
	if held {
		holders--
	}
	for i := 0; i < len(b.lanes) && holders > 0; i++ {
		l := b.lanes[i]
		for j := 0; j < len(l.reqs); j++ {
			r := l.reqs[j]
			k := seg - r.run.First
			if k < 0 || k >= r.keep || r.state[k]&wanted == 0 {
				continue
			}
			r.state[k] &^= wanted
			holders--
			b.trim(l, r)
			b.touch(l)
			break
		}
	}
}
