package balance

// copyTime is the part of the time of a segment's first copy that a second one may take, at most.
const copyTime = 0.8

// budget is how many bytes may come twice in all: a fiftieth of the file or, where that is more, a
// segment for each server.
func (b *Balancer) budget() int64 {
	return max(b.cfg.Size/50, b.cfg.SegmentSize*b.serverCount())
}

// spare is what is left of the budget, less what of segments that two lanes hold may come twice, and what
// of cancelled ones the lanes can bring in half of the seconds that are left. It may be negative.
func (b *Balancer) spare(level float64) int64 {
	left := b.budget() - b.wasted
	for _, waste := range b.twice {
		left -= waste
	}
	for _, l := range b.lanes {
		left -= int64(min(float64(l.ghostsBefore(l.nextID)), b.rate(l)*level/2))
	}
	return left
}

// worthTwice reports whether t may ask for something of v's as well, which it would have after done
// seconds, and of which waste bytes may come in vain where spare may. The less is left of the budget, the
// more time a duplicate must gain.
func (b *Balancer) worthTwice(v *victim, t *lane, done float64, waste, spare int64) bool {
	fresh := !v.l.meter.known() && b.now.Sub(v.l.busy) < v.l.answerTime()+firstWait
	if !t.meter.known() || fresh && b.untilFirst(v.l) < 2*done {
		return false // too little is known to pay for a duplicate
	}
	if b.undone <= len(b.servers) {
		return done < v.end // the last few segments are not haggled over
	}
	left := float64(spare) / float64(b.budget())
	return waste <= spare && v.end*copyTime*left-done >= leastSaving
}

// shared reports whether two lanes hold a segment.
func (b *Balancer) shared(seg int) bool {
	_, two := b.twice[seg]
	return two
}
