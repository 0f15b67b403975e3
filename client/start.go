package client

import (
	"context"
	"time"

	"braid/wire"
)

// The first request: enough for the round trips until more can be asked, and all first requests
// together bounded, as they are held in memory: each has minShare or a segment, though.
const (
	maxShare  = 1 << 20
	minShare  = 64 << 10
	allShares = 32 << 20
)

// A connection begins with ten packets, and carries twice as much in every round trip until it is as
// wide as the path. Two are so a round trip sooner, which is a good part of what a small file takes.
// So a server that takes longer than startAfter to connect to is dialled once more; longer, if there are
// many, as this machine has to make as many handshakes. The second connection gets startShare and no more
// than that: two would share the path to the end, and the balancer closes it.
const (
	startAfter = 10 * time.Millisecond
	handshake  = 2 * time.Millisecond
	startShare = 256 << 10
)

// far is how long it takes to connect to a server that is far.
func (d *download) far() time.Duration {
	return max(startAfter, time.Duration(len(d.servers))*handshake)
}

// dialBeside dials the servers that are far once more, for the start. If it comes late, it is this machine
// that is slow, and nobody can tell who is far.
func (d *download) dialBeside(ctx context.Context, since time.Duration) {
	if d.cfg.Streams > 0 || d.partial || since > 2*d.far() {
		return
	}
	for _, s := range d.servers {
		if !s.reached && !s.tried {
			s.starting = true
			d.dial(ctx, s, toStart, 0)
		}
	}
}

// firstShare is what a connection asks for with its greeting: of a server that has not answered yet its share,
// or what others have not been given of that, and later a segment that is missing. One for the start is for
// the share alone: max is 0 where there is none.
func (d *download) firstShare(s *server, why purpose) share {
	if why == toStart || why == toSeek && !s.useful && !d.partial {
		first := d.shareOf(s, why)
		if c := d.content; c != nil && c.balancer != nil {
			left := c.balancer.Reserved(s.index, first.run(c.layout).First)
			first.max = min(first.max, int64(left)*c.layout.SegmentSize)
		}
		if first.max > 0 || why == toStart {
			return first
		}
	}
	return d.oneSegment(s)
}

// oneSegment is a segment for a connection that is made later, so that something comes with the answer to its
// greeting. There is none before the part file is there: the manifest, which is missing, would wait behind it.
func (d *download) oneSegment(s *server) share {
	c := d.content
	if c == nil || c.store == nil || c.layout.Count() > wire.MaxParts {
		return share{}
	}
	seg, ok := c.balancer.Offer(s.index, time.Now())
	if !ok {
		return share{}
	}
	return share{part: seg, parts: c.layout.Count(), max: c.layout.SegmentSize}
}

// forgo leaves to others what a server was to be asked for first, or was asked for in vain.
func (d *download) forgo(s *server, first share) {
	if c := d.content; first.parts > 0 && c != nil && c.balancer != nil {
		c.balancer.Forgo(s.index, first.run(c.layout).First, time.Now())
	}
}

// shareOf is the share of a server that says hello for the first time: the second half of its part of the
// file, which has a segment where the part has two, or the first quarter for a connection for the start. Of
// a small file the others may have the rest.
func (d *download) shareOf(s *server, why purpose) share {
	n := len(d.servers)
	most := max(allShares/int64(2*n), minShare)
	if why == toStart {
		return share{part: 4 * s.index, parts: 4 * n, max: min(most, startShare)}
	}
	return share{part: 2*s.index + 1, parts: 2 * n, max: min(most, maxShare)}
}
