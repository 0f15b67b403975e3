package balance

const (
	firstFrame = 16 << 10
	minUnsent  = 16 << 10 // what a server's socket may hold unsent, at least and at first
)

type simReq struct {
	id   uint32
	run  Run
	keep int
	seg  int // index of the segment being written
	off  int64
}

// request is the server taking a request.
func (s *simulation) request(ln *simLane, o Order) {
	if ln.flightN == 0 && len(ln.unsent) == 0 && len(ln.lost) == 0 && ln.idle == 0 {
		ln.idle = s.now // its clock goes on from here
	}
	ln.reqs = append(ln.reqs, &simReq{id: o.ID, run: o.Run, keep: o.Run.Count})
	s.write(ln)
}

// cancel is the server shortening a request.
func (ln *simLane) cancel(o Order) {
	for i, r := range ln.reqs {
		if r.id != o.ID {
			continue
		}
		r.keep = min(r.keep, o.Keep)
		if r.seg >= r.keep {
			ln.reqs = append(ln.reqs[:i:i], ln.reqs[i+1:]...)
		}
		return
	}
}

// write fills the socket's buffer frame by frame, while it holds less than half of what it may.
func (s *simulation) write(ln *simLane) {
	s.pace(ln)
	for ln.open && ln.unsentN < ln.notSent/2 && len(ln.reqs) > 0 {
		r := ln.reqs[0]
		for frame := int64(0); frame < ln.frame && r.seg < r.keep; {
			seg := r.run.First + r.seg
			size := s.b.size(seg)
			n := min(size-r.off, int64(s.chunk))
			r.off += n
			frame += n
			c := &chunk{lane: ln, req: r.id, seg: seg, end: int64(seg)*s.sc.seg + r.off, n: int(n), last: r.off == size}
			if c.last {
				r.seg, r.off = r.seg+1, 0
			}
			ln.unsent = append(ln.unsent, c)
			ln.unsentN += c.n
			ln.wrote += c.n
		}
		if r.seg >= r.keep {
			ln.reqs = ln.reqs[1:]
		}
	}
	s.send(ln)
}

// pace sizes what a server has in hand by the rate of the last 20 ms, as package server does.
func (s *simulation) pace(ln *simLane) {
	if len(ln.reqs) == 0 {
		ln.paced, ln.wrote = 0, 0
		return
	}
	switch took := float64(s.now-ln.paced) / 1e9; {
	case ln.paced == 0:
		ln.paced = s.now
	case took >= 0.02:
		rate := float64(ln.wrote) / took
		ln.notSent = int(min(max(rate*0.025, minUnsent), 512<<10))
		ln.frame = int64(min(max(ln.notSent/2, firstFrame), 256<<10))
		ln.paced, ln.wrote = s.now, 0
	}
}

// mayEnd ends the lane of a killed server once the kernel has sent the rest.
func (s *simulation) mayEnd(ln *simLane) {
	if !ln.closing || !ln.open || len(ln.unsent)+len(ln.lost)+len(ln.flight)+len(ln.ooo) > 0 {
		return
	}
	s.drop(ln)
	s.b.Leave(ln.id, s.time())
	s.plan()
	s.seekAgain(ln.link)
}
