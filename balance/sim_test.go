package balance

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"
)

// The simulator runs a Balancer against servers behind links in virtual time.
// It works on chunks of data and models what decides how near to the limit a
// download can come: a tail-drop queue and a serialiser for each link, shared
// by the lanes to it; an access link shared by all; delay; random loss; TCP's
// slow start, a cubic congestion window, retransmission with delivery in
// order, and its back-off after an outage; the part of a server's socket
// buffer that no cancel reaches; handshakes and the first flight.
//
// What is simulated is in scenarios_test.go, the links and what TCP makes of them in
// simlink_test.go, the two ends in simclient_test.go and simserver_test.go; here is the time.

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
	s.b = New(Config{
		Size: sc.size, SegmentSize: sc.seg, Servers: len(sc.links), MinStreams: sc.fixed, MaxStreams: sc.streams,
		OutOfOrder: s.outOfOrder,
	})
	s.firsts = make([]byte, s.b.segs)
	s.out.fluid = fluidLimit(sc)
	s.out.streams = make([]int, len(sc.links))
	for i, l := range sc.links {
		s.addLink(i, l)
	}
	if sc.access > 0 {
		s.access = &queue{rate: goodput(sc.access), cap: int(max(64<<10, sc.access*125000*0.02))}
		s.access.out = func(c *chunk) { s.arrive(c) }
	}
	for _, e := range sc.events {
		s.after(e.at.Seconds(), func() { s.event(e) })
	}
	for _, l := range s.links {
		s.dialFirst(l)
	}
	if sc.pauses > 0 {
		s.pause()
	}
	return s
}

func (s *simulation) addLink(no int, l simLink) {
	ls := &linkState{simLink: l, no: no, down: l.dead}
	rate := l.rate
	for _, e := range s.sc.events {
		if e.do == "rate" && (e.link == no || e.link < 0) {
			rate = max(rate, e.rate)
		}
	}
	ls.q = &queue{rate: goodput(l.rate), cap: int(max(64<<10, rate*125000*ls.rtt(), 4*float64(s.chunk)))}
	ls.q.out = func(c *chunk) { s.leaveLink(ls, c) }
	s.links = append(s.links, ls)
}

func segmentSize(size int64) int64 {
	s := int64(16 << 10)
	for s < size/4096 && s < 4<<20 {
		s *= 2
	}
	return s
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

// pause makes the client miss the processor now and then.
func (s *simulation) pause() {
	s.after(s.rnd.ExpFloat64()*0.05, func() {
		s.still = s.now + int64(s.rnd.Float64()*float64(s.sc.pauses))
		if !s.end {
			s.pause()
		}
	})
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

type outcome struct {
	seconds float64
	fluid   float64
	wasted  int64 // bytes that came in vain, parts of segments too
	wire    int64
	orders  int
	kinds   [8]int
	streams []int // most lanes at once that were to stay, of each server
	events  int
	err     error
}

func (o outcome) ratio() float64 { return o.seconds / o.fluid }

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

func (s *simulation) fail(format string, a ...any) {
	if s.out.err == nil {
		s.out.err = fmt.Errorf("at %.3fs: %s", float64(s.now)/1e9, fmt.Sprintf(format, a...))
	}
	s.end = true
}

// busyLimit is when the servers would have sent the size of the file in bytes
// if each had one lane that never ran dry: the fluid limit less handshakes,
// slow start and losses.
func busyLimit(sc scenario) float64 {
	sc.greedy = true
	return newSimulation(sc).run().seconds
}
