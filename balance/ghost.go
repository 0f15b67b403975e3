package balance

import (
	"cmp"
	"math"
	"slices"
	"time"
)

const (
	sendQueue   = 64 << 10 // bytes in a server's socket and current frame that no cancel reaches
	stillComing = 32 << 10 // bytes expected still of a cancelled request when more of it came than was
)

// ghost is the part of a request that was cancelled, and of it what was cancelled too late, as far as can be
// told: it comes all the same. Where that is nothing, the ghost stays: if some comes, more will. The offsets
// are in the file.
type ghost struct {
	req      uint32
	from, to int64 // what is expected
	end      int64 // where the request itself ended
}

// ghostsBefore is the number of cancelled bytes that come before the answer to a request.
func (l *lane) ghostsBefore(req uint32) (n int64) {
	for _, g := range l.ghosts {
		if g.req < req {
			n += g.to - g.from
		}
	}
	return n
}

// noteGhost notes what of a request, which is about to be cut, is expected all the same: in a crowd all of it.
func (b *Balancer) noteGhost(l *lane, r *request, keep int) {
	cut := b.span(r.run.First+keep, r.keep-keep)
	n := min(max(b.beyondReach(l)-b.before(l, r, keep), 0), cut)
	if b.cfg.Crowded() {
		n = cut
	}
	from := int64(r.run.First+keep) * b.cfg.SegmentSize
	at, again := slices.BinarySearchFunc(l.ghosts, r.id, func(g ghost, id uint32) int { return cmp.Compare(g.req, id) })
	if !again {
		l.ghosts = slices.Insert(l.ghosts, at, ghost{req: r.id, to: from + cut, end: from + cut})
	}
	g := &l.ghosts[at]
	g.from = from
	if n < cut {
		g.to = from + n // an earlier cancel's part lies behind what will not come
	}
}

// beyondReach estimates how many of the bytes that a lane owes no cancel stops: its server has
// given them to the network already, or will have before a cancel reaches it.
func (b *Balancer) beyondReach(l *lane) int64 {
	reach := b.rate(l) * (l.rtt + lookAhead).Seconds()
	switch {
	case !l.meter.known():
		reach = max(reach, b.slowStart(l))
	case b.grows(l):
		reach *= 3 // slow start doubles the rate with every round trip, and the meter lags
	}
	return sendQueue + int64(reach) + b.outOfOrder(l)
}

// outOfOrder is how much of what a lane owes has come already, behind what was lost.
func (b *Balancer) outOfOrder(l *lane) int64 {
	if l.asideAt != b.now {
		l.asideAt, l.aside = b.now, b.cfg.OutOfOrder(l.id)
	}
	return min(l.aside, l.owed+l.ghostsBefore(l.nextID))
}

// slowStart is how many bytes a sender has let go since the lane had work, or will have before a
// cancel reaches it, if nothing but slow start from ten packets (RFC 6928) holds it back.
func (b *Balancer) slowStart(l *lane) float64 {
	const first, shortest, most = 10 * 1460, time.Millisecond, 20
	trips := b.now.Sub(l.busy).Seconds()/max(l.rtt, shortest).Seconds() + 1
	return first * math.Exp2(min(trips, most))
}
