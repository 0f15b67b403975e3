package balance

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
	"time"
)

const (
	lookAhead     = 20 * time.Millisecond  // how long before it runs dry a lane looks for work
	settleTime    = 5 * time.Millisecond   // for which a lane without a rate is left alone
	mostLookAhead = 200 * time.Millisecond // at most, where a cancel takes long to be of use
	firstWait     = 50 * time.Millisecond  // after which a lane without a rate counts as slow
	leastSaving   = 0.005                  // seconds a take-over must gain
	lateness      = 2 * time.Millisecond   // that tells nothing: a timer is not more exact
)

// noteHunger remembers that a lane could do with work when there is none for
// it in the pool.
func (b *Balancer) noteHunger(l *lane) {
	l.hungry = true
	if !b.hungry {
		b.hungry = true
		b.again = b.now
	}
}

// feed has another look at the hungry lanes, now and then; less often where it comes late twice in a
// row: this machine is busy then, and each look delays what the lanes bring.
func (b *Balancer) feed() {
	if !b.hungry || b.now.Before(b.again) {
		return
	}
	late := max(b.now.Sub(b.again)-lateness, 0)
	for _, l := range b.lanes {
		if l.hungry {
			l.hungry = false
			b.touch(l)
		}
	}
	b.hungry = false
	b.fillDirty()
	if b.hungry {
		if b.free.count == 0 {
			b.takeOver()
		}
		b.again = b.now.Add(b.interval() + min(10*min(late, b.delay), mostLookAhead))
	}
	b.delay = late
}

// endgame is who could take work over from whom.
type endgame struct {
	thieves []thief // who could have more work first comes first
	victims victims // who would finish last is on top
	level   float64 // seconds that all lanes together need
	late    float64 // seconds within which a thief must finish, as it is better to wait for a faster lane
	spare   int64   // bytes more that may come twice; may be negative
}

// thief is a lane that is about to run dry.
type thief struct {
	*lane
	rate  float64 // bytes/s
	start float64 // seconds until the first byte of a new request can come
}

// newThief is what a lane of that rate could do now.
func (b *Balancer) newThief(l *lane, rate float64) thief {
	return thief{l, rate, max(float64(b.due(l))/rate, l.rtt.Seconds())}
}

// done is how long it takes until bytes more are there, in seconds.
func (t thief) done(bytes float64) float64 { return t.start + bytes/t.rate }

// victim is a lane that may lose work.
type victim struct {
	l      *lane
	rate   float64  // bytes/s
	req    *request // where its last segment is that nobody else holds
	at     int      // that segment's index
	before int64    // bytes that come first, its own included
	end    float64  // seconds until it is there
}

// victims is a heap.
type victims []victim

func (h victims) Len() int           { return len(h) }
func (h victims) Less(i, j int) bool { return h[i].end > h[j].end }
func (h victims) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *victims) Push(x any)        { *h = append(*h, x.(victim)) }
func (h *victims) Pop() any {
	old := *h
	v := old[len(old)-1]
	*h = old[:len(old)-1]
	return v
}

// takeOver gives lanes that are about to run dry work of those that would
// finish last, so that all finish together.
func (b *Balancer) takeOver() {
	e := b.newEndgame()
	for _, t := range e.thieves {
		for range 4 {
			if len(e.victims) == 0 {
				return
			}
			v := &e.victims[0]
			took := b.takeFrom(v, t.lane, &e)
			again, ok := b.findVictim(v.l, v.rate)
			if !took && !t.meter.known() {
				break // it may not have duplicates: the next lane may
			}
			if took && ok {
				*v = again
				heap.Fix(&e.victims, 0)
			} else {
				// Nothing is left there, or even this lane, the soonest that could
				// help, cannot.
				heap.Pop(&e.victims)
			}
		}
	}
}

// newEndgame looks at all lanes.
func (b *Balancer) newEndgame() (e endgame) {
	var owed, sum float64
	best := math.Inf(1) // seconds until some lane could have one more segment
	soon, seg := b.soon(), float64(b.cfg.SegmentSize)
	for _, l := range b.lanes {
		if l.silent {
			continue
		}
		rate := b.rate(l)
		owed += float64(l.owed)
		if v, ok := b.findVictim(l, rate); ok {
			e.victims = append(e.victims, v)
		}
		if l.retiring {
			continue
		}
		sum += rate
		if !b.mayHelp(l) {
			continue
		}
		t := b.newThief(l, rate)
		if l.meter.known() || l.owed > 0 {
			best = min(best, t.done(seg))
		}
		if float64(b.due(l))/rate < max((l.rtt+lookAhead).Seconds(), soon) {
			e.thieves = append(e.thieves, t)
		}
	}
	e.level = owed / sum
	e.spare = b.spare(e.level)
	e.late = max(e.level, best*1.25+leastSaving)
	slices.SortStableFunc(e.thieves, func(x, y thief) int { return cmp.Compare(x.done(seg), y.done(seg)) })
	heap.Init(&e.victims)
	return e
}

// soon is how long before it runs dry a lane looks for work, at most, in seconds: as long as
// what no cancel reaches takes on the slowest lane. Later, that lane's share would be settled.
func (b *Balancer) soon() (longest float64) {
	for _, l := range b.lanes {
		if !l.silent && l.owed > 0 {
			longest = max(longest, float64(b.beyondReach(l))/b.rate(l))
		}
	}
	return min(longest, mostLookAhead.Seconds())
}

// mayHelp reports whether a lane may take work of others. One that has brought nothing yet,
// beside others of its server, was made because those are in trouble: it may have the same.
func (b *Balancer) mayHelp(l *lane) bool {
	return l.meter.known() || l.server.carried() == 0
}

// findVictim finds the last segment on a lane that no other lane holds.
func (b *Balancer) findVictim(l *lane, rate float64) (victim, bool) {
	for j := len(l.reqs) - 1; j >= 0; j-- {
		r := l.reqs[j]
		for i := r.keep - 1; i >= 0; i-- {
			seg := r.run.First + i
			if r.state[i]&wanted != 0 && !b.shared(seg) {
				before := b.before(l, r, i+1)
				return victim{l, rate, r, i, before, b.end(l, before, rate)}, true
			}
		}
	}
	return victim{}, false
}

// end is when the next n bytes will have come on a lane, in seconds.
func (b *Balancer) end(l *lane, n int64, rate float64) float64 {
	if n == 0 {
		return 0 // being verified and written
	}
	n -= min(n, b.outOfOrder(l)) // which comes at once, with what was lost
	return max(float64(n)/rate, b.overdue(l)) + b.untilFirst(l)
}

// untilFirst is in how many seconds the first byte may be expected of what a lane was asked for when it had
// nothing to do.
func (b *Balancer) untilFirst(l *lane) float64 {
	if len(l.reqs) > 0 && l.reqs[0].came > 0 {
		return 0
	}
	return max(l.busy.Add(l.answerTime()).Sub(b.now).Seconds(), 0)
}

// overdue is how much longer than usual nothing has come on a lane that has work, in
// seconds. It is not likely to come sooner than in as long again.
func (b *Balancer) overdue(l *lane) float64 {
	since := l.last
	if asked := l.busy.Add(l.rtt); asked.After(since) {
		since = asked
	}
	return b.now.Sub(since).Seconds() - 2*l.meter.gap
}

// takeFrom moves work from the end of v's queue to l, if that gains time, and reports whether it
// did. What v's server has not sent yet is cancelled there; of the rest a duplicate is asked for.
// Nothing is moved where it is the caller that is slow: l would be no faster. Nor so soon that nothing
// can be known of v.
func (b *Balancer) takeFrom(v *victim, l *lane, e *endgame) bool {
	if v.l == l || b.cfg.Behind(v.l.id) || !v.l.meter.known() && b.now.Sub(v.l.busy) < settleTime {
		return false
	}
	seg := float64(b.cfg.SegmentSize)
	t := b.newThief(l, b.rate(l))
	if t.start >= v.end || t.done(seg) > e.late {
		return false
	}
	// As much as has both finish together, but no more than brings either to level; a segment
	// at least.
	x := (v.end - t.start) / (1/t.rate + 1/v.rate)
	x = min(x, max(seg, min(t.rate*(e.level-t.start), v.rate*(v.end-e.level))))
	n := max(1, int(min(x/seg, t.rate*(e.late-t.start)/seg, float64(b.segs))))

	sent := min(b.beyondReach(v.l), v.before)
	if unsent := int((v.before - sent) / b.cfg.SegmentSize); unsent > 0 && v.at >= v.req.upto {
		return b.takeUnsent(v, t, e, min(n, unsent))
	}
	return b.takeSent(v, t, e, n)
}

// takeUnsent moves up to n segments to t and cancels them on v's lane. In a crowd the cancel may wait for a core
// for longer than what it is to stop: no more is cancelled than may come twice, unless v would take much longer.
func (b *Balancer) takeUnsent(v *victim, t thief, e *endgame, n int) bool {
	n = b.solo(v, n)
	crowded := b.cfg.Crowded()
	if crowded && v.end-t.start < b.patient(firstByteLimit).Seconds() {
		n = min(n, int(e.spare/b.cfg.SegmentSize)) // all of it may come in vain
	}
	if n <= 0 || v.end-t.done(float64(n)*float64(b.cfg.SegmentSize)) < leastSaving {
		return false
	}
	run := v.last(n)
	b.cut(v.l, v.req, v.at+1-n)
	if crowded {
		e.spare -= b.span(run.First, run.Count)
	}
	b.free.take(run.First, run.End())
	b.ask(t.lane, run)
	return true
}

// takeSent asks t as well for up to n segments that v's server has sent, within the budget.
func (b *Balancer) takeSent(v *victim, t thief, e *endgame, n int) bool {
	run := v.last(b.solo(v, max(1, min(n, int(e.spare/b.cfg.SegmentSize)))))
	done := t.done(float64(b.span(run.First, run.Count)))
	// v's copy is a waste only as far as it comes before all is done.
	waste := int64(min(float64(b.cfg.SegmentSize), v.rate*max(done, e.level)/float64(run.Count)))
	if !b.worthTwice(v, t.lane, done, waste*int64(run.Count), e.spare) {
		return false
	}
	for s := run.First; s < run.End(); s++ {
		b.twice[s] = waste
		e.spare -= waste
	}
	b.ask(t.lane, run)
	return true
}

// last is the n segments that end with v's last one.
func (v *victim) last(n int) Run { return Run{v.req.run.First + v.at + 1 - n, n} }

// solo is how many segments up to v's last one, at most n, v holds alone.
func (b *Balancer) solo(v *victim, n int) int {
	k := 1
	for k < n && v.at-k >= v.req.upto && v.req.state[v.at-k]&wanted != 0 && !b.shared(v.req.run.First+v.at-k) {
		k++
	}
	return k
}
