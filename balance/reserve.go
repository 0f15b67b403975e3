package balance

import (
	"slices"
	"time"
)

// reserveTime is how long a server that has not joined is waited for.
const reserveTime = time.Second

// answerTime is how long a server may take to answer, at least, before others get of its reserve:
// what a greeting asks for comes at once, and would come twice. It may take as long as any
// other has taken.
const answerTime = 20 * time.Millisecond

// reserve is a run that a server was asked for in a greeting that it has not answered yet. Its
// segments are neither in the pool nor held: what comes of them would come twice if others
// were given them.
type reserve struct {
	server int
	run    Run
	since  time.Time
}

// Reserve says that a server has been asked for a run in a greeting that it has not answered: the
// run is kept for it, and it counts as one that will carry something. Others get of the run when
// nothing else is left. There may be several for a server, one for each greeting, said one after the
// other. Adopt, which claims the run, ends it, and so do Forgo and the end of reserveTime.
func (b *Balancer) Reserve(serverNo int, run Run, now time.Time) {
	b.tick(now)
	if run.First < 0 || run.End() > b.segs {
		return
	}
	if run.Count = b.free.run(run.First, run.Count); run.Count <= 0 {
		return
	}
	b.free.take(run.First, run.End())
	b.reserves = append(b.reserves, reserve{serverNo, run, b.now})
	b.survey.stale = true
}

// Offer picks a segment that a server can be asked for in the greeting of one more connection, and
// reserves it; ok is false when there is none for it: all that is left is on its way, or would be
// sooner by others.
func (b *Balancer) Offer(serverNo int, now time.Time) (seg int, ok bool) {
	b.tick(now)
	b.look()
	if b.free.count == 0 {
		b.releaseSilent()
	}
	takes := max(answerTime, b.answered).Seconds() + float64(b.cfg.SegmentSize)/b.newcomer(serverNo)
	if b.free.count == 0 || b.room() < 1 || takes*b.survey.sum > float64(b.left) {
		return 0, false
	}
	seg = b.gap()
	b.Reserve(serverNo, Run{seg, 1}, now)
	return seg, true
}

// newcomer is what one more lane of a server is believed to carry, in bytes/s: no more than any that it has.
func (b *Balancer) newcomer(serverNo int) float64 {
	rate := b.survey.guess
	if s := b.servers[serverNo]; s != nil {
		rate = min(rate, s.promise())
		for _, l := range s.lanes {
			rate = min(rate, b.rate(l))
		}
	}
	return rate
}

// Forgo puts what is reserved for a server from segment first on into the pool, as nothing will come of it.
func (b *Balancer) Forgo(serverNo, first int, now time.Time) {
	b.tick(now)
	b.dropReserves(func(r reserve) bool { return r.server == serverNo && r.run.First == first })
}

// Reserved is how many segments are still reserved for a server of the run that begins at first.
func (b *Balancer) Reserved(serverNo, first int) int {
	for _, r := range b.reserves {
		if r.server == serverNo && r.run.First == first {
			return r.run.Count
		}
	}
	return 0
}

// awaited is how many servers without a lane have something reserved.
func (b *Balancer) awaited() (n int) {
	for i, r := range b.reserves {
		s := b.servers[r.server]
		if (s == nil || len(s.lanes) == 0) && (i == 0 || b.reserves[i-1].server != r.server) {
			n++
		}
	}
	return n
}

// reserved reports whether a segment is in the reserve of any server.
func (b *Balancer) reserved(seg int) bool {
	return slices.ContainsFunc(b.reserves, func(r reserve) bool { return r.run.First <= seg && seg < r.run.End() })
}

// noteAnswer notes how long a server took that has answered.
func (b *Balancer) noteAnswer(serverNo int) {
	for _, r := range b.reserves {
		if r.server == serverNo {
			b.answered = max(b.answered, b.now.Sub(r.since))
		}
	}
}

// expireReserves gives up waiting for servers.
func (b *Balancer) expireReserves() {
	b.dropReserves(func(r reserve) bool { return b.now.Sub(r.since) >= b.patient(reserveTime) })
}

func (b *Balancer) dropReserves(drop func(reserve) bool) {
	n := len(b.reserves)
	b.reserves = slices.DeleteFunc(b.reserves, func(r reserve) bool {
		if drop(r) {
			b.putBack(r.run)
			return true
		}
		return false
	})
	if len(b.reserves) != n {
		b.survey.stale = true
		b.touchAll()
	}
}

// breakReserve puts half of the longest reserve of a server that is late into the pool: the
// second one, as it may have sent the first. No server is late while it is the caller that is
// slow.
func (b *Balancer) breakReserve() {
	at, patience := -1, max(answerTime, b.answered)
	for i, r := range b.reserves {
		late := b.now.Sub(r.since) >= patience || b.undone <= len(b.servers)
		if late && (at < 0 || r.run.Count > b.reserves[at].run.Count) {
			at = i
		}
	}
	if at < 0 || b.behindAny() {
		return
	}
	r := &b.reserves[at].run
	half := (r.Count + 1) / 2
	r.Count -= half
	b.putBack(Run{r.End(), half})
	if r.Count == 0 {
		b.reserves = slices.Delete(b.reserves, at, at+1)
		b.survey.stale = true
	}
}

// putBack puts what has not verified of a run into the pool.
func (b *Balancer) putBack(run Run) {
	for seg := run.First; seg < run.End(); seg++ {
		b.release(seg)
	}
}
