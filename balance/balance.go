// Package balance decides who fetches what next. It knows neither sockets nor
// files nor the time: the caller reports what happened and when, and asks for
// orders. A Balancer belongs to one goroutine.
//
// A lane is one connection to one server. A lane serves its requests strictly
// in the order in which they were asked, each request's segments ascending,
// as one stream of bytes.
//
// Every segment that has not verified is at any moment in the pool, or held by at least one lane,
// or reserved for a server that has yet to answer; Leave, Rejected, shortened requests and
// silence move it back. So nothing is forgotten, whatever the order of events.
package balance

import (
	"fmt"
	"slices"
	"time"
)

// Lane names a connection. The caller chooses it and never uses it again.
type Lane int

// Run is Count consecutive segments from First on.
type Run struct{ First, Count int }

// End is the segment after the last one.
func (r Run) End() int { return r.First + r.Count }

func (r Run) String() string { return fmt.Sprintf("[%d,%d)", r.First, r.End()) }

// OrderKind says what an Order wants done.
type OrderKind uint8

// The kinds of orders.
const (
	// Ask: send request ID for Run on Lane.
	Ask OrderKind = iota + 1
	// Shorten: cancel all but the first Keep segments of request ID on Lane
	// (0: all of it). What was sent before the server heeds it still arrives.
	Shorten
	// Probe: Lane is silent though it has work. Send a ping on it and dial
	// another connection to Server beside it, giving up an earlier dial that
	// has not been answered. Repeated while the silence lasts, every 120 ms or
	// three round trips at first, so that a path that is well again is found
	// at once. The new connection is reported by Join, as any other; Close
	// ends the one that loses the race.
	Probe
	// Open: another lane to Server is worth trying. Report it by Join, or
	// call NotOpened when it failed.
	Open
	// Close: Lane is of no more use. Its work has been taken back already;
	// cut the connection and call Leave (further calls for it do no harm).
	Close
)

func (k OrderKind) String() string {
	switch k {
	case Ask:
		return "ask"
	case Shorten:
		return "shorten"
	case Probe:
		return "probe"
	case Open:
		return "open"
	case Close:
		return "close"
	}
	return fmt.Sprintf("order(%d)", uint8(k))
}

// Order is one thing for the caller to do. Lane is unset for Open; ID and Run
// belong to Ask, ID and Keep to Shorten.
type Order struct {
	Kind   OrderKind
	Lane   Lane
	Server int
	ID     uint32
	Run    Run
	Keep   int
}

// Config describes the file and the limits on lanes.
type Config struct {
	Size        int64 // bytes, ≥ 0
	SegmentSize int64 // bytes, > 0; the last segment may be short
	Servers     int   // servers that are being dialled, as far as is known; 0: unknown
	MinStreams  int   // lanes a server should always have; 0 means 1
	MaxStreams  int   // lanes a server may have; 0 means MinStreams

	// Behind reports whether more has come on a lane than the caller has read: then it is the
	// caller that is slow, not the server. nil: never.
	Behind func(Lane) bool
	// OutOfOrder is how many bytes have come on a lane that the caller cannot read yet, as some
	// before them were lost on the way. nil: none.
	OutOfOrder func(Lane) int64
	// Crowded reports whether so many processes wait for this machine's cores that servers on it may be
	// silent for long without being dead. nil: never.
	Crowded func() bool
}

// Balancer is the state of one download. It is made by New.
type Balancer struct {
	cfg  Config
	segs int

	free   pool // neither verified nor held by any lane
	done   bits // verified
	undone int  // segments not verified
	left   int64
	wasted int64         // bytes that verified a second time
	bytes  int64         // received
	twice  map[int]int64 // segments that two lanes hold: bytes that the copy asked for first may bring in vain

	reserves []reserve     // for servers that have not joined
	answered time.Duration // the longest that one took to join after it was asked

	bound int64 // bytes asked for and not verified, at most; 0: any number

	lanes      []*lane // in the order in which they joined
	byID       map[Lane]*lane
	servers    map[int]*server
	serverList []*server   // in the order in which they were first seen
	tend       time.Time   // no look at the streams before
	untended   bool        // something may have happened since the last look
	cursors    map[int]int // how many lanes would go on at this segment

	now    time.Time
	dirty  []*lane // lanes whose queue may need filling
	orders []Order
	timers timerHeap
	survey survey
	asked  time.Time     // when the caller was asked whether it is behind
	late   bool          // and was, on some lane
	hungry bool          // some lane ran out of work: look for work to take over
	again  time.Time     // when to look again
	delay  time.Duration // by which the latest look came late
}

// New returns a Balancer for a file of which nothing is there yet.
func New(cfg Config) *Balancer {
	if cfg.Size < 0 || cfg.SegmentSize <= 0 {
		panic(fmt.Sprintf("balance: size %d, segment size %d", cfg.Size, cfg.SegmentSize))
	}
	cfg.MinStreams = max(cfg.MinStreams, 1)
	cfg.MaxStreams = max(cfg.MaxStreams, cfg.MinStreams)
	if cfg.Behind == nil {
		cfg.Behind = func(Lane) bool { return false }
	}
	if cfg.OutOfOrder == nil {
		cfg.OutOfOrder = func(Lane) int64 { return 0 }
	}
	if cfg.Crowded == nil {
		cfg.Crowded = func() bool { return false }
	}
	segs := int((cfg.Size + cfg.SegmentSize - 1) / cfg.SegmentSize)
	return &Balancer{
		cfg:     cfg,
		segs:    segs,
		free:    newPool(segs),
		done:    newBits(segs),
		undone:  segs,
		left:    cfg.Size,
		twice:   map[int]int64{},
		byID:    map[Lane]*lane{},
		servers: map[int]*server{},
		cursors: map[int]int{},
	}
}

// Have says that a segment is already in hand and verified. It may be called
// before the first Join or at any time later.
func (b *Balancer) Have(seg int) {
	if seg >= 0 && seg < b.segs && !b.done.has(seg) {
		b.finish(seg, false)
	}
}

// Lacks takes Have back: the segment is not in hand after all, and free for all lanes.
func (b *Balancer) Lacks(seg int, now time.Time) {
	b.tick(now)
	if seg < 0 || seg >= b.segs || !b.done.has(seg) {
		return
	}
	b.done.remove(seg)
	b.undone++
	b.left += b.size(seg)
	if !b.reserved(seg) {
		b.free.put(seg)
	}
	b.touchAll()
}

// Bound limits the bytes of all lanes that have been asked for and have not verified, which is
// what the caller may have to hold; 0: no limit.
func (b *Balancer) Bound(bytes int64) {
	b.bound = bytes
	b.touchAll()
}

// Join says that a lane is connected and may be asked. rtt is the connection's
// round trip as far as is known, 0 if it is not.
func (b *Balancer) Join(id Lane, serverNo int, rtt time.Duration, now time.Time) {
	b.tick(now)
	if b.byID[id] != nil {
		return
	}
	s := b.servers[serverNo]
	if s == nil {
		s = &server{no: serverNo, want: b.cfg.MinStreams}
		b.servers[serverNo] = s
		b.serverList = append(b.serverList, s)
	}
	l := &lane{id: id, server: s, joined: now, rtt: rtt, cursor: -1, nextID: 1}
	b.noteAnswer(serverNo)
	b.byID[id] = l
	b.lanes = append(b.lanes, l)
	s.joined(l)
	b.survey.stale = true
	b.touch(l)
}

// Brief says that a lane, which has just joined, was made to get the start over sooner. If its server has as
// many as it should have without it, it gets nothing but what it was asked for in the greeting, see Adopt,
// and is closed then; but on a long path, or where packets are lost meanwhile, it may stay (pair.go).
func (b *Balancer) Brief(id Lane) {
	if l := b.byID[id]; l != nil && l.server.active() > l.server.want {
		l.brief, l.retiring = true, true
	}
}

// Adopt hands over the request (id 0 as a rule) that the client made on lane
// with its greeting. What of it is still free now belongs to the lane;
// if the rest is not worth having, Plan shortens the request.
func (b *Balancer) Adopt(id Lane, req uint32, run Run, now time.Time) {
	b.tick(now)
	l := b.byID[id]
	if l == nil || run.Count <= 0 || run.First < 0 || run.End() > b.segs {
		return
	}
	b.Forgo(l.server.no, run.First, now) // claim takes it from the pool
	r := newRequest(req, run)
	l.nextID = max(l.nextID, req+1)
	b.enqueue(l, r)
	b.claim(l, r)
	b.setCursor(l, run.First+r.keep)
	b.touch(l)
}

// Leave says that the lane's connection is gone. Its work is free at once.
func (b *Balancer) Leave(id Lane, now time.Time) {
	b.tick(now)
	l := b.byID[id]
	if l == nil {
		return
	}
	b.retract(l)
	b.remove(l)
}

// Received reports n bytes off the wire of a lane, wanted or not.
func (b *Balancer) Received(id Lane, n int, now time.Time) {
	b.tick(now)
	l := b.byID[id]
	if l == nil || n <= 0 {
		return
	}
	if l.silent {
		b.revive(l)
	}
	b.count(l.server, n)
	known := l.meter.known()
	l.arrived(n, b.came(l, n), now)
	b.survey.stale = b.survey.stale || l.meter.known() != known
	b.touch(l)
}

// Reached reports how far a lane has got: the answer to request req up to an offset in the
// file, and so all that was asked for before. Verified says as much of its segment.
func (b *Balancer) Reached(id Lane, req uint32, offset int64, now time.Time) {
	b.tick(now)
	if l := b.byID[id]; l != nil {
		b.reach(l, req, offset)
	}
}

// Blocked reports that what comes on a lane waits for the caller, for its disk say:
// that is no silence of the lane's.
func (b *Balancer) Blocked(id Lane, now time.Time) {
	b.tick(now)
	l := b.byID[id]
	if l == nil {
		return
	}
	if l.silent {
		b.revive(l)
	}
	l.last = now
}

// Verified reports that a segment came by a lane, for request req, verified and is written.
// It returns false for a duplicate. The segment need not be wanted any more.
func (b *Balancer) Verified(id Lane, req uint32, seg int, now time.Time) (first bool) {
	b.tick(now)
	if seg < 0 || seg >= b.segs {
		return false
	}
	held := false
	if l := b.byID[id]; l != nil {
		if l.silent {
			b.revive(l)
		}
		held = b.noteLanded(l, req, seg)
		b.touch(l)
	}
	if b.done.has(seg) {
		b.wasted += b.size(seg)
		return false
	}
	b.finish(seg, held)
	return true
}

// Rejected reports that a segment came by a lane, for request req, and did not verify. It is
// free for others at once.
func (b *Balancer) Rejected(id Lane, req uint32, seg int, now time.Time) {
	b.tick(now)
	l := b.byID[id]
	if l == nil || seg < 0 || seg >= b.segs {
		return
	}
	if b.noteLanded(l, req, seg) {
		b.release(seg)
	}
	b.touchAll()
}

// RTT reports a round trip measured on a lane: hello, pong, or the first byte
// of a request that was sent while the lane was idle.
func (b *Balancer) RTT(id Lane, sample time.Duration, now time.Time) {
	b.tick(now)
	l := b.byID[id]
	if l == nil || sample <= 0 {
		return
	}
	if l.rtt == 0 || sample < l.rtt {
		l.rtt = sample
	}
}

// NotOpened says that nothing came of an Open order.
func (b *Balancer) NotOpened(serverNo int, now time.Time) {
	b.tick(now)
	if s := b.servers[serverNo]; s != nil {
		s.notOpened(now)
	}
}

// Hardy says that the senders of a server, which has joined, do not take every lost packet
// for a full link: an unsteady rate is no reason to try more lanes to it.
func (b *Balancer) Hardy(serverNo int) {
	if s := b.servers[serverNo]; s != nil {
		s.hardy = true
	}
}

// Done reports whether every segment has verified.
func (b *Balancer) Done() bool { return b.undone == 0 }

// Silent reports whether a lane is silent though it has work.
func (b *Balancer) Silent(id Lane) bool {
	l := b.byID[id]
	return l != nil && l.silent
}

// ServerRate is the sum of the present rates of a server's lanes in bytes/s, as far as they
// are known.
func (b *Balancer) ServerRate(serverNo int) (sum float64) {
	if s := b.servers[serverNo]; s != nil {
		for _, l := range s.lanes {
			if !l.silent {
				sum += l.meter.rate(b.now)
			}
		}
	}
	return sum
}

// tick moves the time on; it does not go back.
func (b *Balancer) tick(now time.Time) {
	if now.After(b.now) {
		b.now = now
	}
}

// behindAny reports whether the caller is behind on any lane.
func (b *Balancer) behindAny() bool {
	if b.asked != b.now {
		b.asked, b.late = b.now, b.behind(b.lanes)
	}
	return b.late
}

// behind reports whether the caller is behind on any of some lanes.
func (b *Balancer) behind(lanes []*lane) bool {
	return slices.ContainsFunc(lanes, func(l *lane) bool { return b.cfg.Behind(l.id) })
}

// size is the number of bytes in a segment.
func (b *Balancer) size(seg int) int64 { return b.span(seg, 1) }

// span is the number of bytes in n segments from first on.
func (b *Balancer) span(first, n int) int64 {
	return min(int64(first+n)*b.cfg.SegmentSize, b.cfg.Size) - int64(first)*b.cfg.SegmentSize
}

func seconds(s float64) time.Duration {
	const most = 1e9 // seconds; keeps the product within an int64
	return time.Duration(min(max(s, 0), most) * float64(time.Second))
}
