package balance

import "time"

const (
	readChunk  = 16 << 10              // the client reports about so many bytes at a time
	startAfter = 10 * time.Millisecond // a second connection is dialled to those that have not answered yet,
	handshake  = 2 * time.Millisecond  // or after so much for each server
)

// dialing is the client on its way to a server.
type dialing struct {
	sim   *simulation
	link  *linkState
	no    int // of the dials on the link
	lane  *simLane
	share Run  // asked for in the greeting
	first bool // it is one of those for the start
	over  bool // it was welcomed or refused
}

// dialFirst dials once, and once more for the start where the handshake takes long.
func (s *simulation) dialFirst(l *linkState) {
	if s.sc.noFirst || s.sc.greedy {
		s.dial(l, Run{})
		return
	}
	s.dial(l, s.share(2*l.no+1, 2*len(s.links), 1<<20))
	far := max(startAfter, time.Duration(len(s.links))*handshake)
	if s.sc.fixed == 0 && 2*l.delay > far {
		s.after(far.Seconds(), func() { s.dial(l, s.share(4*l.no, 4*len(s.links), 256<<10)) })
	}
}

// dial connects: a round trip for the handshake, one more for the hello.
func (s *simulation) dial(l *linkState, share Run) {
	l.since = s.now
	l.dials++
	d := &dialing{sim: s, link: l, no: l.dials, share: share, first: share.Count > 0}
	if d.first {
		l.greetings = append(l.greetings, d)
	}
	if d.reaches() {
		s.after(l.rtt(), d.greet)
	} else {
		s.after(l.rtt(), d.refused)
	}
}

// reaches reports whether there is a server at the other end now.
func (d *dialing) reaches() bool { return !d.link.black && !d.link.down && !d.sim.end }

// greet is the client, which is connected, and says hello.
func (d *dialing) greet() {
	if !d.reaches() {
		d.refused()
		return
	}
	s := d.sim
	if d.first && s.answered { // others may have been given some of it
		d.share.Count = min(d.share.Count, s.b.Reserved(d.link.no, d.share.First))
		if d.share.Count == 0 && d.no > 1 {
			d.refused() // the client hangs up: its second connection is for the share alone
			return
		}
	}
	if d.share.Count == 0 && s.answered && !s.sc.greedy && !s.sc.noFirst {
		d.offer()
	}
	d.lane = s.newLane(d.link)
	s.after(d.link.rtt()/2, d.answer)
}

// answer is the server, which welcomes the client and begins to send its share.
func (d *dialing) answer() {
	if !d.reaches() {
		d.retry()
		return
	}
	s, ln := d.sim, d.lane
	if s.sc.greedy {
		d.share = Run{0, s.b.segs}
	}
	if d.share.Count > 0 {
		ln.reqs = append(ln.reqs, &simReq{id: 0, run: d.share, keep: d.share.Count})
	}
	s.lanes[ln.id] = ln
	d.link.lanes = append(d.link.lanes, ln)
	ln.idle = s.now
	s.after(d.link.rtt()/2, d.welcomed)
	s.after(1e-6, func() { s.write(ln) })
}

// welcomed is the client, which has the lane from now on.
func (d *dialing) welcomed() {
	s, l, ln := d.sim, d.link, d.lane
	if !ln.open || s.sc.greedy {
		return
	}
	ln.joined, d.over = true, true
	s.b.Join(ln.id, l.no, time.Duration(l.rtt()*1e9), s.time())
	s.reserve()
	if d.first {
		s.b.Brief(ln.id)
	}
	if d.share.Count > 0 {
		s.b.Adopt(ln.id, 0, d.share, s.time())
	}
	l.most = max(l.most, s.b.servers[l.no].active())
	s.plan()
}

func (d *dialing) refused() {
	d.over = true
	if d.share.Count > 0 {
		d.sim.b.Forgo(d.link.no, d.share.First, d.sim.time())
	}
	d.retry()
}

// offer has a segment asked for in a greeting that has no share, if there is one.
func (d *dialing) offer() {
	if seg, ok := d.sim.b.Offer(d.link.no, d.sim.time()); ok {
		d.share = Run{seg, 1}
	}
}

// retry dials again, after a pause.
func (d *dialing) retry() {
	if d.obsolete() {
		return
	}
	d.sim.after(0.25, func() {
		if !d.obsolete() && !d.sim.end {
			d.sim.dial(d.link, Run{})
		}
	})
}

// obsolete reports whether there is a later dial, or a lane.
func (d *dialing) obsolete() bool { return d.no != d.link.dials || d.sim.hasLane(d.link) }

// share is up to most bytes of a part of the file.
func (s *simulation) share(part, parts, most int) Run {
	lo, hi := s.b.segs*part/parts, s.b.segs*(part+1)/parts
	return Run{lo, min(hi-lo, max(1, most/int(s.sc.seg)))}
}

// reserve has the shares of those that have yet to answer kept for them, after the first answer.
func (s *simulation) reserve() {
	if s.answered {
		return
	}
	s.answered = true
	for _, l := range s.links {
		for _, d := range l.greetings {
			if !d.over {
				s.b.Reserve(l.no, d.share, s.time())
			}
		}
	}
}

func (s *simulation) hasLane(l *linkState) bool { return len(l.lanes) > 0 }

// seekAgain dials a server that has no lane, after a pause.
func (s *simulation) seekAgain(l *linkState) {
	s.after(0.2, func() {
		if !s.hasLane(l) && !s.end {
			s.dial(l, Run{})
		}
	})
}

func (s *simulation) drop(ln *simLane) {
	ln.open = false
	delete(s.lanes, ln.id)
	for i, o := range ln.link.lanes {
		if o == ln {
			ln.link.lanes = append(ln.link.lanes[:i:i], ln.link.lanes[i+1:]...)
		}
	}
}

// outOfOrder is how much has come on a lane behind what is missing.
func (s *simulation) outOfOrder(id Lane) (bytes int64) {
	if ln := s.lanes[id]; ln != nil {
		for _, c := range ln.ooo {
			bytes += int64(c.n)
		}
	}
	return bytes
}

// read is the client reading what has come in order.
func (s *simulation) read(ln *simLane) {
	if !ln.open || s.end {
		return
	}
	told := false
	for {
		n := ln.ooo[ln.expect+1]
		if n == nil {
			break
		}
		delete(ln.ooo, n.seq)
		ln.expect++
		ln.rx += n.n
		s.out.wire += int64(n.n)
		if s.sc.greedy {
			if s.out.wire >= s.sc.size {
				s.end, s.out.seconds = true, float64(s.now)/1e9
				return
			}
			continue
		}
		if ln.rx >= readChunk || n.last {
			s.b.Received(ln.id, ln.rx, s.time())
			s.b.Reached(ln.id, n.req, n.end, s.time())
			ln.rx = 0
			told = true
		}
		if n.last && ln.joined {
			s.verified(ln, n.req, n.seg)
		}
	}
	if told {
		s.plan()
	}
	if ln.closing {
		s.mayEnd(ln)
	}
}

func (s *simulation) verified(ln *simLane, req uint32, seg int) {
	if s.b.Verified(ln.id, req, seg, s.time()) {
		s.firsts[seg]++
		if s.firsts[seg] != 1 {
			s.fail("segment %d is first twice", seg)
		}
	}
	if s.b.Done() {
		s.end = true
		s.out.seconds = float64(s.now) / 1e9
		s.out.wasted = s.out.wire - s.sc.size
	}
}

func (s *simulation) plan() {
	if s.end || s.sc.greedy {
		return
	}
	for _, o := range s.b.Plan(s.time()) {
		s.out.orders++
		s.out.kinds[o.Kind]++
		if s.trace != nil {
			s.trace("%8.4f %-7v lane %d server %d id %d run %v keep %d", float64(s.now)/1e9, o.Kind, o.Lane, o.Server, o.ID, o.Run, o.Keep)
		}
		s.obey(o)
	}
	at := s.b.Next(s.time())
	if at.IsZero() {
		return
	}
	ns := max(int64(at.Sub(epoch)), s.now)
	if s.wake > s.now && s.wake <= ns {
		return
	}
	s.wake = ns
	s.after(float64(ns-s.now)/1e9, func() {
		if s.wake == ns {
			s.wake = 0
			s.plan()
		}
	})
}

func (s *simulation) obey(o Order) {
	ln := s.lanes[o.Lane]
	switch o.Kind {
	case Ask:
		if o.Run.Count <= 0 || o.Run.First < 0 || o.Run.End() > s.b.segs {
			s.fail("bad order %+v", o)
			return
		}
		l := ln.link
		l.most = max(l.most, s.b.servers[l.no].active()) // a lane for the start may have been kept
		s.toServer(ln, func() { s.request(ln, o) })
	case Shorten:
		s.toServer(ln, func() { ln.cancel(o) })
	case Probe:
		l := s.links[o.Server]
		if float64(s.now-l.since)/1e9 >= 0.1 && len(l.lanes) < 2 {
			s.dial(l, Run{})
		}
		s.toServer(ln, func() {})
	case Open:
		s.dial(s.links[o.Server], Run{})
	case Close:
		if ln != nil {
			s.drop(ln)
			s.b.Leave(ln.id, s.time())
			s.seekAgain(ln.link)
		}
	}
}
