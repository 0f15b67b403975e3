package balance

import (
	"container/heap"
	"slices"
	"time"
)

const (
	leastSilence    = 250 * time.Millisecond
	leastProbePause = 120 * time.Millisecond
	quickProbes     = 60 // probes before they become rarer
	firstByteLimit  = time.Second
	readSize        = 64 << 10               // bytes that the caller may collect before it reports them
	silenceGaps     = 4                      // usual gaps between bytes that make a silence
	lookPause       = 500 * time.Millisecond // between two looks at a lane that has work, at most
	crowdPatience   = 8                      // times as long anything may take in a crowd
)

// timerHeap holds one entry a lane that has work: when to look whether it is
// silent. An entry is not moved when bytes come; it is put back when it is due.
type timerHeap []timer

type timer struct {
	at time.Time
	l  *lane
}

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h timerHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *timerHeap) Push(x any)        { *h = append(*h, x.(timer)) }
func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	*h = old[:len(old)-1]
	return t
}

// watch makes sure that a lane with work is looked at in time.
func (b *Balancer) watch(l *lane) {
	if !l.timed {
		l.timed = true
		heap.Push(&b.timers, timer{b.deadline(l), l})
	}
}

// deadline is when a lane that has work counts as silent if no byte comes.
func (b *Balancer) deadline(l *lane) time.Time {
	since := l.last
	if l.busy.After(since) {
		since = l.busy
	}
	limit := max(b.patient(leastSilence), 4*l.rtt, silenceGaps*l.gap)
	if r := l.meter.fast.value(0, fastHalf); r > 0 {
		// What was under way at the best rate takes longer at this one.
		limit = max(limit, seconds((l.meter.peak*l.rtt.Seconds()+readSize)/r))
	}
	switch {
	case l.got == 0:
		limit = max(b.patient(firstByteLimit), 4*l.rtt)
	case l.owed == 0:
		limit = 4*limit + firstByteLimit // all has come; the disk may be slow
	case l.busy.After(l.last):
		limit += l.rtt
	}
	return since.Add(limit)
}

// patient is how long what takes d at most, as a rule, may take now.
func (b *Balancer) patient(d time.Duration) time.Duration {
	if b.cfg.Crowded() {
		return crowdPatience * d
	}
	return d
}

// listen looks at the lanes whose time has come.
func (b *Balancer) listen() {
	for len(b.timers) > 0 && !b.timers[0].at.After(b.now) {
		l := b.timers[0].l
		if b.byID[l.id] != l || len(l.reqs) == 0 {
			heap.Pop(&b.timers)
			l.timed = false
			if b.byID[l.id] == l && l.silent {
				b.revive(l) // nothing is expected of it any more
			}
			continue
		}
		at := b.deadline(l)
		if at.After(b.now) {
			at = sooner(at, b.now.Add(lookPause)) // it may be due sooner by then
		} else {
			if !l.silent {
				b.fallSilent(l)
			}
			at = b.probe(l)
		}
		b.timers[0].at = at
		heap.Fix(&b.timers, 0)
	}
}

func (b *Balancer) fallSilent(l *lane) {
	l.silent, l.released = true, false
	l.probes, l.quietAt = 0, b.now
	b.survey.stale = true
	for _, o := range l.server.lanes {
		o.fresh = 0
	}
}

// probe orders a probe and returns when the next one is due. The pause is
// short at first, so that a path that is well again is found quickly.
func (b *Balancer) probe(l *lane) time.Time {
	pause := max(leastProbePause, 3*l.rtt)
	if n := l.probes - quickProbes; n >= 0 {
		pause = min(pause<<min(n+1, 8), 5*time.Second)
	}
	l.probes++
	b.orders = append(b.orders, Order{Kind: Probe, Lane: l.id, Server: l.server.no})
	return b.now.Add(pause)
}

// revive takes a lane into use again: it gets back what nobody has taken.
func (b *Balancer) revive(l *lane) {
	l.silent = false
	if i := slices.IndexFunc(b.timers, func(t timer) bool { return t.l == l }); i >= 0 {
		b.timers[i].at = b.deadline(l)
		heap.Fix(&b.timers, i)
	}
	b.survey.stale = true
	if l.released {
		l.released = false
		for _, r := range slices.Clone(l.reqs) {
			b.claim(l, r)
		}
	}
	b.touch(l)
}

// releaseSilent puts the work of all silent lanes into the pool. It is called
// when there is nothing else to hand out.
func (b *Balancer) releaseSilent() {
	for _, l := range b.lanes {
		if l.silent && !l.released {
			l.released = true
			b.retract(l)
		}
	}
}
