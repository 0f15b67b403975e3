package balance

import (
	"container/heap"
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"time"
)

// The simulator runs a Balancer against servers behind links in virtual time.
// It works on chunks of data and models what decides how near to the limit a
// download can come: a tail-drop queue and a serialiser for each link, shared
// by the lanes to it; an access link shared by all; delay; random loss; TCP's
// slow start, a cubic congestion window, retransmission with delivery in
// order, and its back-off after an outage; the part of a server's socket
// buffer that no cancel reaches; handshakes and the first flight.

const (
	payload    = 1448.0 / 1500 // of what a link carries is file data
	mss        = 1448
	firstFrame = 16 << 10
	minUnsent  = 16 << 10 // a server writes on while less is unsent, at least and at first
	readChunk  = 16 << 10 // the client reports about so many bytes at a time
)

// simLink says what a link and the server behind it are like. Rates are
// Mbit/s of packets, delays one way.
type simLink struct {
	rate  float64
	delay time.Duration
	loss  float64
	dead  bool
}

// simEvent changes something at a time. Link -1 means all of them.
type simEvent struct {
	at   time.Duration
	link int
	do   string // "rate", "blackhole", "back", "kill", "restart"
	rate float64
}

type scenario struct {
	name    string
	size    int64
	seg     int64 // 0: as design.md says
	links   []simLink
	access  float64 // Mbit/s, 0: no limit
	events  []simEvent
	streams int // most lanes a server, 0: one
	fixed   int // lanes a server always has, 0: one
	chunk   int // bytes; 0: by the size of the file
	noFirst bool
	buffers float64       // bytes that a lane's ends have room for, 0: any number
	pauses  time.Duration // the client stands still for up to so long, about 20 times a second
	seed    uint64
	limit   time.Duration // virtual time after which the run is given up

	most  float64 // greatest ratio to the fluid limit that passes
	lanes int     // lanes a server may need, 0: any number

	greedy bool // no balancer: every lane always has something to send
}

type outcome struct {
	seconds float64
	fluid   float64
	wasted  int64
	wire    int64
	orders  int
	kinds   [8]int
	streams []int // most lanes at once, of each server
	events  int
	err     error
}

// busyLimit is when the servers would have sent the size of the file in bytes
// if each had one lane that never ran dry: the fluid limit less handshakes,
// slow start and losses.
func busyLimit(sc scenario) float64 {
	sc.greedy = true
	return newSimulation(sc).run().seconds
}

func (o outcome) ratio() float64 { return o.seconds / o.fluid }

func segmentSize(size int64) int64 {
	s := int64(16 << 10)
	for s < size/4096 && s < 4<<20 {
		s *= 2
	}
	return s
}

type simulation struct {
	sc       scenario
	b        *Balancer
	now      int64 // ns
	seq      int64
	heap     simHeap
	links    []*linkState
	access   *queue
	lanes    map[Lane]*simLane
	nextID   Lane
	rnd      *rand.Rand
	chunk    int
	out      outcome
	end      bool
	answered bool  // by some server
	still    int64 // until when the client stands still
	wake     int64
	firsts   []byte
	trace    func(string, ...any)
}

type simTimer struct {
	at, seq int64
	fn      func()
}

type simHeap []simTimer

func (h simHeap) Len() int { return len(h) }
func (h simHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].seq < h[j].seq
}
func (h simHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *simHeap) Push(x any)   { *h = append(*h, x.(simTimer)) }
func (h *simHeap) Pop() any {
	o := *h
	t := o[len(o)-1]
	*h = o[:len(o)-1]
	return t
}

func (s *simulation) after(d float64, fn func()) {
	s.seq++
	heap.Push(&s.heap, simTimer{s.now + int64(d*1e9), s.seq, fn})
}

var epoch = time.Unix(1e9, 0)

func (s *simulation) time() time.Time { return epoch.Add(time.Duration(s.now)) }

// queue is a tail-drop queue before a serialiser.
type queue struct {
	rate  float64 // bytes/s of file data
	cap   int
	size  int
	items []*chunk
	busy  bool
	out   func(*chunk)
}

func (s *simulation) push(q *queue, c *chunk) bool {
	if q.size+c.n > q.cap && q.size > 0 {
		return false
	}
	q.size += c.n
	q.items = append(q.items, c)
	if !q.busy {
		s.serve(q)
	}
	return true
}

func (s *simulation) serve(q *queue) {
	if len(q.items) == 0 {
		q.busy = false
		return
	}
	q.busy = true
	c := q.items[0]
	q.items = q.items[1:]
	s.after(float64(c.n)/q.rate, func() {
		q.size -= c.n
		q.out(c)
		s.serve(q)
	})
}

type linkState struct {
	simLink
	no    int
	q     *queue
	black bool
	down  bool
	lanes []*simLane
	dials int
	most  int
	since int64 // of the youngest dial
}

func (l *linkState) rtt() float64 { return 2 * l.delay.Seconds() }

// chunk is a piece of one segment on its way.
type chunk struct {
	lane  *simLane
	epoch int
	seq   int
	req   uint32
	seg   int
	end   int64 // offset in the file
	n     int
	last  bool // completes the segment
}

type simReq struct {
	id   uint32
	run  Run
	keep int
	seg  int // index of the segment being written
	off  int64
}

// simLane is one connection: the server's sender and the client's receiver.
type simLane struct {
	id       Lane
	link     *linkState
	reqs     []*simReq
	joined   bool
	open     bool
	closing  bool
	unsent   []*chunk
	unsentN  int
	notSent  int // a server writes on while less is unsent
	frame    int64
	wrote    int // since paced
	paced    int64
	lost     []*chunk // to be sent again first
	flight   map[int]*chunk
	flightN  int
	seq      int
	epoch    int
	cwnd     float64
	ssthresh float64
	wmax     float64
	lossAt   int64
	recover  int // losses of chunks before this one are one event
	idle     int64
	rto      float64
	stuck    bool
	mail     []func() // messages of the client that wait for the path

	expect int
	ooo    map[int]*chunk
	rx     int // bytes received and not yet reported
}

func newSimulation(sc scenario) *simulation {
	if sc.seg == 0 {
		sc.seg = segmentSize(sc.size)
	}
	if sc.limit == 0 {
		sc.limit = 365 * 24 * time.Hour
	}
	s := &simulation{sc: sc, lanes: map[Lane]*simLane{}, rnd: rand.New(rand.NewPCG(sc.seed, 7)), chunk: sc.chunk}
	if s.chunk == 0 {
		s.chunk = int(min(max(sc.size/20000, mss), 1<<20))
	}
	s.b = New(Config{Size: sc.size, SegmentSize: sc.seg, MinStreams: sc.fixed, MaxStreams: sc.streams, Servers: len(sc.links)})
	s.firsts = make([]byte, s.b.segs)
	s.out.fluid = fluidLimit(sc)
	s.out.streams = make([]int, len(sc.links))
	for i, l := range sc.links {
		ls := &linkState{simLink: l, no: i, down: l.dead}
		rate := l.rate
		for _, e := range sc.events {
			if e.do == "rate" && (e.link == i || e.link < 0) {
				rate = max(rate, e.rate)
			}
		}
		ls.q = &queue{rate: goodput(l.rate), cap: int(max(64<<10, rate*125000*ls.rtt(), 4*float64(s.chunk)))}
		ls.q.out = func(c *chunk) { s.leaveLink(ls, c) }
		s.links = append(s.links, ls)
	}
	if sc.access > 0 {
		s.access = &queue{rate: goodput(sc.access), cap: int(max(64<<10, sc.access*125000*0.02))}
		s.access.out = func(c *chunk) { s.arrive(c) }
	}
	for _, e := range sc.events {
		s.after(e.at.Seconds(), func() { s.event(e) })
	}
	for _, l := range s.links {
		s.dial(l, true)
	}
	if sc.pauses > 0 {
		s.pause()
	}
	return s
}

func goodput(mbit float64) float64 { return mbit * 125000 * payload }

// pause makes the client miss the processor now and then.
func (s *simulation) pause() {
	s.after(s.rnd.ExpFloat64()*0.05, func() {
		s.still = s.now + int64(s.rnd.Float64()*float64(s.sc.pauses))
		if !s.end {
			s.pause()
		}
	})
}

func (s *simulation) event(e simEvent) {
	for _, l := range s.links {
		if e.link >= 0 && l.no != e.link {
			continue
		}
		switch e.do {
		case "rate":
			l.rate = e.rate
			l.q.rate = goodput(e.rate)
		case "blackhole":
			l.black = true
			for _, c := range l.q.items {
				l.q.size -= c.n
			}
			l.q.items = nil
			for _, ln := range l.lanes {
				s.outage(ln)
			}
		case "back":
			l.black = false
		case "kill":
			l.down = true
			for _, ln := range append([]*simLane(nil), l.lanes...) {
				ln.reqs, ln.closing = nil, true
				s.mayEnd(ln)
			}
		case "restart":
			l.down = false
		}
	}
}

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

// toServer delivers a message of the client on a lane.
func (s *simulation) toServer(ln *simLane, fn func()) {
	if ln.link.black || ln.stuck {
		ln.mail = append(ln.mail, fn)
		s.outage(ln)
		return
	}
	epoch := ln.epoch
	s.after(ln.link.rtt()/2, func() {
		if ln.epoch != epoch || ln.link.black {
			ln.mail = append(ln.mail, fn)
			s.outage(ln)
			return
		}
		if ln.open && !ln.closing {
			fn()
		}
	})
}

// outage loses what is under way on a lane; TCP tries again, at doubling
// distances.
func (s *simulation) outage(ln *simLane) {
	if ln.stuck || (len(ln.flight) == 0 && len(ln.mail) == 0 && len(ln.lost) == 0 && ln.unsentN == 0) {
		return
	}
	ln.stuck = true
	ln.epoch++
	for _, c := range ln.flight {
		ln.lost = append(ln.lost, c)
	}
	sort.Slice(ln.lost, func(i, j int) bool { return ln.lost[i].seq < ln.lost[j].seq })
	ln.flight, ln.flightN = map[int]*chunk{}, 0
	var try func(rto float64)
	try = func(rto float64) {
		if !ln.open {
			return
		}
		if ln.link.black {
			s.after(rto, func() { try(2 * rto) })
			return
		}
		ln.stuck = false
		ln.ssthresh = max(ln.cwnd/2, 2*mss)
		ln.cwnd = max(mss, float64(s.chunk))
		mail := ln.mail
		ln.mail = nil
		for _, fn := range mail {
			s.toServer(ln, fn)
		}
		s.send(ln)
		s.write(ln)
	}
	rto := max(0.2, 1.5*ln.link.rtt()) * (0.9 + 0.2*s.rnd.Float64())
	s.after(rto, func() { try(2 * rto) })
}

// write fills the socket's buffer frame by frame.
func (s *simulation) write(ln *simLane) {
	s.pace(ln)
	for ln.open && ln.unsentN < ln.notSent && len(ln.reqs) > 0 {
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

// pace sizes what a server has in hand by the rate of the last 100 ms, as package server does.
func (s *simulation) pace(ln *simLane) {
	if len(ln.reqs) == 0 {
		ln.paced, ln.wrote = 0, 0
		return
	}
	switch took := float64(s.now-ln.paced) / 1e9; {
	case ln.paced == 0:
		ln.paced = s.now
	case took >= 0.1:
		rate := float64(ln.wrote) / took
		ln.notSent = int(min(max(rate*0.025, minUnsent), 512<<10))
		ln.frame = int64(min(max(rate*0.01, firstFrame), 256<<10))
		ln.paced, ln.wrote = s.now, 0
	}
}

func (s *simulation) send(ln *simLane) {
	if !ln.open || ln.stuck || ln.link.black {
		if ln.open && !ln.stuck && ln.link.black {
			s.outage(ln)
		}
		return
	}
	if ln.flightN == 0 && float64(s.now-ln.idle)/1e9 > max(0.2, 2*ln.link.rtt()) {
		ln.cwnd = min(ln.cwnd, max(10*mss, 2*float64(s.chunk)))
	}
	for {
		var c *chunk
		if len(ln.lost) > 0 {
			c = ln.lost[0]
		} else if len(ln.unsent) > 0 {
			c = ln.unsent[0]
		}
		if c == nil || (ln.flightN > 0 && float64(ln.flightN+c.n) > s.room(ln)) {
			break
		}
		if len(ln.lost) > 0 {
			ln.lost = ln.lost[1:]
		} else {
			ln.unsent = ln.unsent[1:]
			ln.unsentN -= c.n
			ln.seq++
			c.seq = ln.seq
		}
		c.epoch = ln.epoch
		ln.flight[c.seq] = c
		ln.flightN += c.n
		s.transmit(ln, c)
	}
	if ln.unsentN < ln.notSent && len(ln.reqs) > 0 {
		s.write(ln)
	}
	s.mayEnd(ln)
}

// room is how many bytes may be under way on a lane.
func (s *simulation) room(ln *simLane) float64 {
	if s.sc.buffers > 0 {
		return min(ln.cwnd, s.sc.buffers)
	}
	return ln.cwnd
}

func (s *simulation) transmit(ln *simLane, c *chunk) {
	q := ln.link.q
	wait := float64(q.size) / q.rate
	if math.IsInf(ln.ssthresh, 1) && wait > max(0.010, ln.link.rtt()/2) && ln.cwnd > 16*mss {
		ln.ssthresh = ln.cwnd // HyStart
		ln.wmax, ln.lossAt = 0, s.now
	}
	if !s.push(q, c) {
		s.lose(c)
	}
}

// lose is a lost chunk: found out and sent again after a round trip.
func (s *simulation) lose(c *chunk) {
	ln := c.lane
	if c.seq > ln.recover {
		ln.recover = ln.seq
		ln.wmax = ln.cwnd
		ln.cwnd = max(ln.cwnd*0.7, 2*mss, float64(s.chunk))
		ln.ssthresh = ln.cwnd
		ln.lossAt = s.now
	}
	s.after(ln.link.rtt()+float64(ln.link.q.size)/ln.link.q.rate, func() {
		if c.epoch == ln.epoch && ln.open {
			s.transmit(ln, c)
		}
	})
}

func (s *simulation) leaveLink(l *linkState, c *chunk) {
	if l.black || c.epoch != c.lane.epoch || !c.lane.open {
		return
	}
	if l.loss > 0 && s.rnd.Float64() < 1-math.Pow(1-l.loss, math.Ceil(float64(c.n)/mss)) {
		s.lose(c)
		return
	}
	s.after(l.rtt()/2, func() {
		if s.access == nil {
			s.arrive(c)
		} else if c.epoch == c.lane.epoch && c.lane.open && !s.push(s.access, c) {
			s.lose(c)
		}
	})
}

// arrive is a chunk at the client; it is delivered in order.
func (s *simulation) arrive(c *chunk) {
	ln := c.lane
	if ln.link.black || c.epoch != ln.epoch || !ln.open || s.end {
		return
	}
	epoch := c.epoch
	s.after(ln.link.rtt()/2, func() { s.ack(ln, c, epoch) })
	ln.ooo[c.seq] = c
	if s.now < s.still {
		s.after(float64(s.still-s.now)/1e9, func() { s.read(ln) })
		return
	}
	s.read(ln)
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

func (s *simulation) ack(ln *simLane, c *chunk, epoch int) {
	if epoch != ln.epoch || !ln.open || ln.link.black || ln.flight[c.seq] != c {
		return
	}
	delete(ln.flight, c.seq)
	ln.flightN -= c.n
	ln.idle = s.now
	if limited := float64(ln.flightN+c.n)+2*float64(s.chunk) >= ln.cwnd; limited {
		if ln.cwnd < ln.ssthresh {
			ln.cwnd += float64(c.n)
		} else {
			s.cubic(ln, float64(c.n))
		}
	}
	s.send(ln)
}

func (s *simulation) cubic(ln *simLane, acked float64) {
	ln.cwnd += 0.53 * acked * mss / ln.cwnd // as fast as Reno would
	t := float64(s.now-ln.lossAt)/1e9 + ln.link.rtt()
	k := math.Cbrt(ln.wmax / mss * 0.3 / 0.4)
	origin := ln.wmax / mss
	if ln.wmax == 0 {
		origin = ln.ssthresh / mss // slow start ended without a loss
	}
	if w := (0.4*math.Pow(t-k, 3) + origin) * mss; w > ln.cwnd {
		ln.cwnd += min((w-ln.cwnd)*acked/ln.cwnd, acked/2)
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

func (s *simulation) fail(format string, a ...any) {
	if s.out.err == nil {
		s.out.err = fmt.Errorf("at %.3fs: %s", float64(s.now)/1e9, fmt.Sprintf(format, a...))
	}
	s.end = true
}

// run simulates until the file is complete.
func (s *simulation) run() outcome {
	for !s.end && len(s.heap) > 0 {
		t := heap.Pop(&s.heap).(simTimer)
		if t.at > int64(s.sc.limit) {
			break
		}
		s.now = t.at
		s.out.events++
		t.fn()
	}
	if s.sc.greedy {
		return s.out
	}
	if !s.b.Done() && s.out.err == nil {
		s.fail("%d segments are missing", s.b.undone)
	}
	if s.out.err == nil {
		for i, n := range s.firsts {
			if n != 1 {
				s.fail("segment %d was first %d times", i, n)
				break
			}
		}
	}
	for i, l := range s.links {
		s.out.streams[i] = l.most
	}
	return s.out
}

// fluidLimit is when the summed goodput of the links has carried the file,
// plus the shortest round trip, in seconds.
func fluidLimit(sc scenario) float64 {
	type state struct {
		rate        float64
		dead, black bool
	}
	st := make([]state, len(sc.links))
	rtt := math.Inf(1)
	for i, l := range sc.links {
		st[i] = state{l.rate, l.dead, false}
		rtt = min(rtt, 2*l.delay.Seconds())
	}
	events := append([]simEvent(nil), sc.events...)
	sort.SliceStable(events, func(i, j int) bool { return events[i].at < events[j].at })
	left, t := float64(sc.size), 0.0
	for i := 0; ; i++ {
		sum := 0.0
		for _, x := range st {
			if !x.dead && !x.black {
				sum += goodput(x.rate)
			}
		}
		if sc.access > 0 {
			sum = min(sum, goodput(sc.access))
		}
		if i == len(events) {
			return t + left/sum + rtt
		}
		dt := events[i].at.Seconds() - t
		if sum*dt >= left {
			return t + left/sum + rtt
		}
		left -= sum * dt
		t += dt
		for k := range st {
			if events[i].link >= 0 && events[i].link != k {
				continue
			}
			switch events[i].do {
			case "rate":
				st[k].rate = events[i].rate
			case "blackhole":
				st[k].black = true
			case "back":
				st[k].black = false
			case "kill":
				st[k].dead = true
			case "restart":
				st[k].dead = false
			}
		}
	}
}
