package balance

import (
	"slices"
	"time"
)

// lane is what is known of one connection.
type lane struct {
	id     Lane
	server *server
	joined time.Time
	rtt    time.Duration // least one measured; 0: unknown

	reqs   []*request // as asked; the first is being served
	nextID uint32     // of the next request
	cursor int        // the segment after the last run; -1: none yet

	out     int64     // bytes of segments that have been asked for and not landed
	owed    int64     // bytes of them that have not come
	ghosts  []ghost   // what was cancelled and may come still, by request
	busy    time.Time // since when it has had work
	awaited time.Time // since when something is expected of it, wanted or not
	meter   meter

	last     time.Time     // last byte
	gap      time.Duration // longest between bytes lately
	silent   bool
	released bool      // silent, and its work is in the pool again
	probes   int       // in this silence
	quietAt  time.Time // since when it is silent
	retiring bool      // it gets no more work, and is closed once its server has sent the rest
	retired  time.Time // when what its server had not sent yet was taken back; zero: it was not
	fresh    int64     // bytes received since a lane to the same server fell silent
	hungry   bool      // it could do with work, and there was none in the pool
	dirty    bool      // it is among those that Plan looks at
	timed    bool      // it has an entry among the timers
	got      int64     // bytes received
	aside    int64     // bytes that have come out of order,
	asideAt  time.Time // as far as was known then
	early    int64     // of these, the meter's already
	brief    bool      // it is for what it was asked for in the greeting alone, and retiring
}

// answerTime is how long the first byte takes from when a lane with nothing to do was asked for something. What
// is asked for in the greeting comes with it: the lane joins when it does.
func (l *lane) answerTime() time.Duration {
	if len(l.reqs) > 0 && l.reqs[0].id == 0 {
		return 0
	}
	return l.rtt
}

// retract takes back all that a lane holds.
func (b *Balancer) retract(l *lane) {
	for _, r := range l.reqs {
		for i := range r.keep {
			if r.state[i]&wanted != 0 {
				r.state[i] &^= wanted
				b.release(r.run.First + i)
			}
		}
	}
	b.touchAll()
}

// remove forgets a lane that holds nothing.
func (b *Balancer) remove(l *lane) {
	delete(b.byID, l.id)
	if i := slices.Index(b.lanes, l); i >= 0 {
		b.lanes = slices.Delete(b.lanes, i, i+1)
	}
	l.reqs, l.out, l.owed, l.ghosts = nil, 0, 0, nil
	b.setCursor(l, -1)
	l.server.left(l, b.now)
	b.survey.stale = true
	b.touchAll()
}

// setCursor notes where a lane would like to go on.
func (b *Balancer) setCursor(l *lane, seg int) {
	if l.cursor >= 0 {
		if n := b.cursors[l.cursor]; n > 1 {
			b.cursors[l.cursor] = n - 1
		} else {
			delete(b.cursors, l.cursor)
		}
	}
	if l.cursor = seg; seg >= 0 {
		b.cursors[seg]++
	}
}

// touch puts a lane on the list of those that Plan looks at.
func (b *Balancer) touch(l *lane) {
	if !l.dirty {
		l.dirty = true
		b.dirty = append(b.dirty, l)
	}
}

func (b *Balancer) touchAll() {
	for _, l := range b.lanes {
		b.touch(l)
	}
}
