package balance

import (
	"math"
	"sort"
)

const (
	payload = 1448.0 / 1500 // of what a link carries is file data
	mss     = 1448
)

type linkState struct {
	simLink
	no        int
	q         *queue
	black     bool
	down      bool
	lanes     []*simLane
	dials     int
	greetings []*dialing // with a share
	most      int        // lanes at once that were to stay
	since     int64      // of the youngest dial
}

func (l *linkState) rtt() float64 { return 2 * l.delay.Seconds() }

func goodput(mbit float64) float64 { return mbit * 125000 * payload }

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
	notSent  int // bytes that may be unsent; a server waits until it is less than half
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

func (s *simulation) newLane(l *linkState) *simLane {
	s.nextID++
	return &simLane{
		id: s.nextID, link: l, open: true, flight: map[int]*chunk{}, ooo: map[int]*chunk{},
		cwnd: max(10*mss, 2*float64(s.chunk)), ssthresh: math.Inf(1), rto: 0.2, notSent: minUnsent, frame: firstFrame,
	}
}

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
	if ln.unsentN < ln.notSent/2 && len(ln.reqs) > 0 {
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
	if !s.sc.full && math.IsInf(ln.ssthresh, 1) && wait > max(0.010, ln.link.rtt()/2) && ln.cwnd > 16*mss {
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
