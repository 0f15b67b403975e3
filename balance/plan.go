package balance

import (
	"math"
	"time"
)

// Tuned in the simulator; see docs/experiments.md.
const (
	queueAhead   = 500 * time.Millisecond // work queued at a lane, at least
	firstWork    = 1 << 20                // bytes for a lane whose rate is unknown
	evidence     = 8                      // times what a lane has brought that it may be owed, beyond firstWork
	leastAskPart = 32                     // a lane is asked for no less than one in so many parts of what it owes
	leastRate    = 64 << 10               // bytes/s that a lane is taken for before anything is known

	mostRequests = 512 // that wait on a lane; a server takes 1024 (docs/protocol.md)
)

// survey is a summary of all lanes, renewed every few milliseconds.
type survey struct {
	at    time.Time
	stale bool
	known int     // lanes in use whose rate is known
	sum   float64 // bytes/s of all lanes in use, guesses included
	most  float64 // bytes/s, the fastest lane
	guess float64 // bytes/s assumed of a lane whose rate is unknown
}

// look renews the survey if it is out of date.
func (b *Balancer) look() {
	s := &b.survey
	if !s.stale && b.now.Sub(s.at) < b.interval() {
		return
	}
	b.expireReserves()
	*s = survey{at: b.now}
	for _, l := range b.lanes {
		if l.usable() && l.meter.known() {
			r := max(l.meter.rate(b.now), 1)
			s.known++
			s.sum += r
			s.most = max(s.most, r)
		}
	}
	s.guess = leastRate
	if s.known > 0 {
		s.guess = max(s.sum/float64(s.known)/2, 1)
	}
	for _, l := range b.lanes {
		if l.usable() && !l.meter.known() {
			s.sum += s.guess
			s.most = max(s.most, s.guess)
		}
	}
	s.sum += s.guess * float64(b.awaited())
}

// Ending reports whether the end is so near that lanes look ahead for work of others up to it.
func (b *Balancer) Ending(now time.Time) bool {
	b.tick(now)
	left := b.timeLeft()
	return 0 < left && left < mostLookAhead
}

// timeLeft is what the rest should take at the present rates, 0 while that is unknown.
func (b *Balancer) timeLeft() time.Duration {
	b.look()
	if b.survey.known == 0 || b.survey.sum <= 0 {
		return 0
	}
	return seconds(float64(b.left) / b.survey.sum)
}

// interval is the pause between two looks at all lanes.
func (b *Balancer) interval() time.Duration {
	return 5*time.Millisecond + time.Duration(len(b.lanes))*20*time.Microsecond
}

// usable reports whether the lane may be given work.
func (l *lane) usable() bool { return !l.silent && !l.retiring }

// rate is what the lane is believed to carry, in bytes/s, never 0.
func (b *Balancer) rate(l *lane) float64 {
	if l.meter.known() {
		return max(l.meter.rate(b.now), 1)
	}
	r := min(b.survey.guess, l.server.promise())
	if wait := b.now.Sub(l.awaited) - l.rtt; wait > 0 && (len(l.reqs) > 0 || l.ghostsBefore(l.nextID) > 0) {
		// Had it been faster than this, it would have been heard of.
		r = min(r, float64(l.got+16<<10)/wait.Seconds())
	}
	return max(r, 1)
}

// came is how many bytes have come on a lane that the meter has not been told of, when the caller has read n, and
// notes that it is told of them. What is behind a lost packet counts when it comes: else a lane that recovers would
// look faster than it is.
func (b *Balancer) came(l *lane, n int) int {
	if l.rtt < nearbyRTT {
		return n // what is lost is soon there again
	}
	came := max(n+int(b.outOfOrder(l)-l.early), 0)
	l.early += int64(came - n)
	return came
}

// arrived notes n bytes that were read on a lane, and what has come for its rate.
func (l *lane) arrived(n, came int, now time.Time) {
	if l.meter.open {
		l.gap = max(now.Sub(l.last), l.gap-l.gap/16)
	}
	l.got += int64(n)
	l.fresh += int64(n)
	l.last = now
	l.meter.add(came, now)
	if len(l.reqs) == 0 {
		l.meter.pause() // cancelled work that came all the same
	}
}

// What must be considered, in the order in which Plan does so:
//
//   - A lane that is silent longer than its rhythm explains is probed. It gets
//     no work and does not count as carrying anything (stall.go).
//   - A lane must never wait for a request: it is owed what it carries in four
//     round trips, as a full queue and then a lost packet hold things up for two more,
//     and in half a second at least; twice that while its rate
//     still grows, so that slow start does not run dry (goal).
//   - But no more than several times what it has brought: the first rates of a
//     fast path tell little (goal).
//   - A lane whose rate is unknown gets little: a slow server needs long for
//     it, and part of it is beyond the reach of a cancel (goal).
//   - All together get no more than the caller can hold until it has the manifest (room).
//   - Nobody gets more than what ends together with all others, give or take a
//     segment on the fastest lane. So the pool runs dry everywhere at once
//     (fair).
//   - A lane goes on where it stopped; else in the largest gap, in the middle
//     of it if another lane is working at its edge (pick).
//   - When the pool is dry, what silent lanes were asked for is free too, and then
//     what servers were asked for that have not answered (reserve.go).
//   - When that is gone, lanes about to run dry take over from those that
//     would finish last: first what has not been sent, cancelled there; then
//     duplicates of what has, within a budget (steal.go, budget.go).
//   - A lane that returns after a silence gets back what nobody has taken; what
//     others hold is cancelled on it (claim).
//   - A segment that verifies lets all other holders off (finish).
//   - Lanes that are too many are drained and closed; more are opened only while
//     they help (streams.go, pair.go, trial.go, window.go).
//   - Nothing here may take time in proportion to the number of segments, and
//     only what happens every few milliseconds may look at all lanes.

// Plan returns what is to be done now, in order. When nothing has happened
// since the last call it returns nothing.
func (b *Balancer) Plan(now time.Time) []Order {
	b.tick(now)
	if !b.Done() {
		b.listen()
		b.look()
		b.fillDirty()
		b.feed()
		b.streams()
		b.fillDirty()
	}
	orders := b.orders
	b.orders = nil
	return orders
}

// fillDirty sees to the lanes to which something has happened.
func (b *Balancer) fillDirty() {
	for len(b.dirty) > 0 {
		dirty := b.dirty
		b.dirty = nil
		for _, l := range dirty {
			l.dirty = false
			if b.byID[l.id] == l {
				b.fill(l)
			}
		}
	}
}

// Next is when Plan should be called again though nothing happened; zero
// means never.
func (b *Balancer) Next(now time.Time) time.Time {
	b.tick(now)
	if b.Done() {
		return time.Time{}
	}
	next := b.streamsNext()
	if len(b.timers) > 0 {
		next = sooner(next, b.timers[0].at)
	}
	if b.hungry {
		next = sooner(next, b.again)
	}
	return next
}

// sooner is the earlier of two times; zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// fill asks for more on a lane whose queue is getting short.
func (b *Balancer) fill(l *lane) {
	if !l.usable() {
		return
	}
	goal := b.goal(l)
	for len(l.reqs) < mostRequests {
		short := goal - float64(l.owed)
		if short < goal/4 || short <= 0 {
			return
		}
		room := b.room()
		if room <= 0 {
			return // Bound comes back to the lane
		}
		n := min(int64(short)/b.cfg.SegmentSize+1, b.fair(l), room)
		if n*b.cfg.SegmentSize < l.owed/leastAskPart || n <= 0 || !b.findWork() {
			b.noteHunger(l)
			return
		}
		b.ask(l, b.pick(l, int(n)))
	}
}

// findWork reports whether there is work in the pool, or could be got.
func (b *Balancer) findWork() bool {
	if b.free.count == 0 {
		b.releaseSilent()
	}
	if b.free.count == 0 {
		b.breakReserve()
	}
	return b.free.count > 0
}

// room is how many segments more may be asked for within the bound.
func (b *Balancer) room() int64 {
	if b.bound == 0 {
		return math.MaxInt64
	}
	left := b.bound
	for _, l := range b.lanes {
		left -= l.out
	}
	return left / b.cfg.SegmentSize
}

// goal is how many bytes should be outstanding on a lane.
func (b *Balancer) goal(l *lane) float64 {
	if !l.meter.known() {
		return min(firstWork, float64(b.left)/float64(max(len(b.lanes), b.cfg.Servers)))
	}
	g := l.meter.high() * max(4*l.rtt, queueAhead).Seconds()
	if b.grows(l) {
		g = max(2*g, firstWork)
	}
	g = min(g, max(firstWork, evidence*float64(l.got)))
	if l == l.server.second {
		g = min(g, pairWindow)
	}
	return max(g, 1)
}

// grows reports whether the lane's rate, which is known, has grown lately.
func (b *Balancer) grows(l *lane) bool {
	return b.now.Sub(l.meter.grew) < max(4*l.rtt, 200*time.Millisecond)
}

// fair is how many segments more a lane may have so that it does not finish
// later than all together would, give or take one segment on the fastest.
func (b *Balancer) fair(l *lane) int64 {
	s := &b.survey
	seg := float64(b.cfg.SegmentSize)
	end := float64(b.left)/s.sum + seg/s.most
	return int64(min((b.rate(l)*end*(1+1e-9)-float64(b.due(l)))/seg, 1<<40))
}

// pick takes up to n consecutive segments for a lane out of the pool, which is
// not empty.
func (b *Balancer) pick(l *lane, n int) Run {
	at := l.cursor
	if at < 0 || at >= b.segs || !b.free.has(at) {
		at = b.gap()
	}
	r := Run{at, b.free.run(at, n)}
	b.free.take(r.First, r.End())
	b.setCursor(l, r.End())
	return r
}

// gap is where to begin in the largest gap of the pool: in the middle, if a lane is working at its edge.
func (b *Balancer) gap() int {
	gap := b.free.longest()
	if b.cursors[gap.First] > 0 {
		return gap.First + gap.Count/2
	}
	return gap.First
}

// ask sends a request for a run that the caller has taken for the lane.
func (b *Balancer) ask(l *lane, run Run) {
	r := newRequest(l.nextID, run)
	l.nextID++
	for i := range r.state {
		r.state[i] = wanted
	}
	b.enqueue(l, r)
	b.orders = append(b.orders, Order{Kind: Ask, Lane: l.id, Server: l.server.no, ID: r.id, Run: run})
}
