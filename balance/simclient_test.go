package balance

import (
	"math"
	"time"
)

const readChunk = 16 << 10 // the client reports about so many bytes at a time

// dial connects: a round trip for the handshake, one more for the hello.
func (s *simulation) dial(l *linkState, first bool) {
	l.since = s.now
	l.dials++
	me := l.dials
	ok := func() bool { return !l.black && !l.down && !s.end }
	retry := func() {
		if me == l.dials && !s.hasLane(l) {
			s.after(0.25, func() {
				if me == l.dials && !s.hasLane(l) && !s.end {
					s.dial(l, false)
				}
			})
		}
	}
	refused := func() {
		s.b.Reserve(l.no, Run{}, s.time())
		retry()
	}
	if !ok() {
		s.after(l.rtt(), refused)
		return
	}
	s.after(l.rtt(), func() { // connected
		if !ok() {
			refused()
			return
		}
		s.nextID++
		ln := &simLane{id: s.nextID, link: l, open: true, flight: map[int]*chunk{}, ooo: map[int]*chunk{},
			cwnd: max(10*mss, 2*float64(s.chunk)), ssthresh: math.Inf(1), rto: 0.2, notSent: minUnsent, frame: firstFrame}
		var share Run
		if first && !s.sc.noFirst {
			share = s.share(l)
		}
		s.after(l.rtt()/2, func() {
			if !ok() {
				retry()
				return
			}
			if s.sc.greedy {
				share = Run{0, s.b.segs}
			}
			if share.Count > 0 {
				ln.reqs = append(ln.reqs, &simReq{id: 0, run: share, keep: share.Count})
			}
			s.lanes[ln.id] = ln
			l.lanes = append(l.lanes, ln)
			ln.idle = s.now
			s.after(l.rtt()/2, func() {
				if !ln.open || s.sc.greedy {
					return
				}
				ln.joined = true
				l.most = max(l.most, len(l.lanes))
				s.b.Join(ln.id, l.no, time.Duration(l.rtt()*1e9), s.time())
				s.reserve()
				if share.Count > 0 {
					s.b.Adopt(ln.id, 0, share, s.time())
				}
				s.plan()
			})
			s.after(1e-6, func() { s.write(ln) })
		})
	})
}

// share is what a server is asked for in the greeting.
func (s *simulation) share(l *linkState) Run {
	n := len(s.links)
	lo, hi := s.b.segs*l.no/n, s.b.segs*(l.no+1)/n
	return Run{lo, min(hi-lo, max(1, int((1<<20)/s.sc.seg)))}
}

// reserve has the shares of those that have yet to answer kept for them, after the first answer.
func (s *simulation) reserve() {
	if s.answered || s.sc.noFirst {
		return
	}
	s.answered = true
	for _, l := range s.links {
		if l.dials == 1 && l.most == 0 {
			s.b.Reserve(l.no, s.share(l), s.time())
		}
	}
}

func (s *simulation) hasLane(l *linkState) bool { return len(l.lanes) > 0 }

// seekAgain dials a server that has no lane, after a pause.
func (s *simulation) seekAgain(l *linkState) {
	s.after(0.2, func() {
		if !s.hasLane(l) && !s.end {
			s.dial(l, false)
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
	} else {
		s.out.wasted += s.b.size(seg)
	}
	if s.b.Done() {
		s.end = true
		s.out.seconds = float64(s.now) / 1e9
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
		s.toServer(ln, func() {
			if ln.flightN == 0 {
				// A lane that was idle continues its clock from here.
				if len(ln.unsent) == 0 && len(ln.lost) == 0 && ln.idle == 0 {
					ln.idle = s.now
				}
			}
			ln.reqs = append(ln.reqs, &simReq{id: o.ID, run: o.Run, keep: o.Run.Count})
			s.write(ln)
		})
	case Shorten:
		s.toServer(ln, func() {
			for i, r := range ln.reqs {
				if r.id != o.ID {
					continue
				}
				r.keep = min(r.keep, o.Keep)
				if r.seg >= r.keep {
					ln.reqs = append(ln.reqs[:i:i], ln.reqs[i+1:]...)
				}
				break
			}
		})
	case Probe:
		l := s.links[o.Server]
		if float64(s.now-l.since)/1e9 >= 0.1 && len(l.lanes) < 2 {
			s.dial(l, false)
		}
		s.toServer(ln, func() {})
	case Open:
		s.dial(s.links[o.Server], false)
	case Close:
		if ln != nil {
			s.drop(ln)
			s.b.Leave(ln.id, s.time())
			s.seekAgain(ln.link)
		}
	}
}
