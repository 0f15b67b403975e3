package report

import (
	"time"
)

// Bounds of a History: what it holds does not grow with the length of the run
// or the size of the file.
const (
	firstStep    = 200 * time.Millisecond // of the speeds; doubled whenever mostSteps are full
	mostSteps    = 512
	leastSteps   = 32                         // with many servers
	allCells     = 1 << 18                    // steps of all servers together, where leastSteps allows
	longest      = 100 * 365 * 24 * time.Hour // run that is told apart from a broken clock
	mostParts    = 4096                       // of the map of the file
	firstEvents  = 200                        // kept of the beginning
	latestEvents = 300                        // and of the end
)

// History remembers a download for the page that HTML writes. The zero value is
// ready, and a nil *History takes everything and remembers nothing. It is
// not for several goroutines.
type History struct {
	speeds speeds
	parts  parts
	events eventLog
}

// Sample takes the state of the download. Of each server it counts Arrived.
func (h *History) Sample(p Progress) {
	if h != nil {
		h.speeds.sample(p)
	}
}

// Event takes what was told at a time since the start of the run.
func (h *History) Event(at time.Duration, text string) {
	if h != nil {
		h.events.add(moment{at, shorten(text, eventLimit)})
	}
}

// Delivered takes that a server, by its number, has delivered n bytes of a file of
// size bytes, from begin on, and that they have verified. Server 0 is the disk: what a resume
// has found.
func (h *History) Delivered(server int, begin, n, size int64) {
	if h != nil {
		h.parts.add(server, begin, n, size)
	}
}

// Forget drops what was delivered: it was of another file.
func (h *History) Forget() {
	if h != nil {
		h.parts = parts{}
	}
}

// speeds is how many bytes came from each server in each step of the run.
type speeds struct {
	step    time.Duration
	limit   int           // of steps
	at      time.Duration // of the last sample
	arrived []int64       // from each server by then
	bytes   [][]float32   // of each server in each step
}

func (s *speeds) sample(p Progress) {
	if s.step == 0 {
		s.step = firstStep
		s.limit = min(max(allCells/max(len(p.Servers), 1), leastSteps), mostSteps)
		s.arrived = make([]int64, len(p.Servers))
		s.bytes = make([][]float32, len(p.Servers))
	}
	begin, end := s.at, min(p.Elapsed, longest)
	if end <= begin {
		return
	}
	s.at = end
	for end > s.step*time.Duration(s.limit) {
		s.fold()
	}
	for i := range min(len(p.Servers), len(s.arrived)) {
		n := p.Servers[i].Arrived - s.arrived[i]
		s.arrived[i] = p.Servers[i].Arrived
		s.spread(i, n, begin, end)
	}
}

// spread puts n bytes that came between begin and end into the steps they fall into.
func (s *speeds) spread(server int, n int64, begin, end time.Duration) {
	last := int((end - 1) / s.step)
	for len(s.bytes[server]) <= last {
		s.bytes[server] = append(s.bytes[server], 0)
	}
	if n <= 0 {
		return
	}
	for i := int(begin / s.step); i <= last; i++ {
		from, to := max(begin, s.step*time.Duration(i)), min(end, s.step*time.Duration(i+1))
		s.bytes[server][i] += float32(float64(n) * float64(to-from) / float64(end-begin))
	}
}

// fold makes the steps twice as long and half as many.
func (s *speeds) fold() {
	s.step *= 2
	for server, old := range s.bytes {
		half := old[:0]
		for i := 0; i < len(old); i += 2 {
			sum := old[i]
			if i+1 < len(old) {
				sum += old[i+1]
			}
			half = append(half, sum)
		}
		s.bytes[server] = half
	}
}

// steps is how many steps the run has had; the last one may not be full.
func (s *speeds) steps() int {
	if s.step == 0 {
		return 0
	}
	return int((s.at + s.step - 1) / s.step)
}

// span is the begin of a step and its end, which for the last one is the end of the run.
func (s *speeds) span(i int) (begin, end time.Duration) {
	return s.step * time.Duration(i), min(s.step*time.Duration(i+1), s.at)
}

// of is a server's speed in a step, in bytes/s.
func (s *speeds) of(server, i int) float64 {
	if i >= len(s.bytes[server]) {
		return 0
	}
	begin, end := s.span(i)
	// A last step that has hardly begun would show any speed at all.
	return float64(s.bytes[server][i]) / max((end-begin).Seconds(), s.step.Seconds()/2)
}

// parts is the map of the file: who delivered each of up to mostParts equal
// stretches. The length of one is a power of two, as that of a segment,
// so that up to 16 GiB no two segments share one. Where they do, it goes to the
// server that delivered most of it (the majority vote of Boyer and Moore, weighted by bytes).
type parts struct {
	size   int64
	length int64 // bytes of a stretch
	all    []part
}

type part struct {
	server int32 // -1: nobody yet
	lead   int64 // bytes by which it is ahead
}

const nobody = -1

func (m *parts) add(server int, begin, n, size int64) {
	if size <= 0 || n <= 0 || begin < 0 || begin > size-n {
		return
	}
	if m.size != size {
		*m = parts{size: size, length: 1}
		for (size-1)/m.length >= mostParts {
			m.length *= 2
		}
		m.all = make([]part, (size-1)/m.length+1)
		for i := range m.all {
			m.all[i].server = nobody
		}
	}
	for at := begin; at < begin+n; {
		i := at / m.length
		next := min((i+1)*m.length, begin+n)
		m.all[i].vote(int32(server), next-at)
		at = next
	}
}

func (p *part) vote(server int32, n int64) {
	switch {
	case p.server == server:
		p.lead += n
	case p.server == nobody || n > p.lead:
		p.server, p.lead = server, n-max(p.lead, 0)
	default:
		p.lead -= n
	}
}

// run is neighbouring parts of one server.
type run struct{ server, first, count int }

// runs are all runs that somebody delivered.
func (m *parts) runs() []run {
	var all []run
	for i, p := range m.all {
		if p.server == nobody {
			continue
		}
		if n := len(all) - 1; n >= 0 && all[n].server == int(p.server) && all[n].first+all[n].count == i {
			all[n].count++
			continue
		}
		all = append(all, run{int(p.server), i, 1})
	}
	return all
}

// moment is an event and when it was.
type moment struct {
	at   time.Duration // since the start
	text string
}

// eventLog keeps the first and the latest ones.
type eventLog struct {
	first, latest []moment // latest is a ring
	count         int
}

func (e *eventLog) add(m moment) {
	switch n := e.count - firstEvents; {
	case n < 0:
		e.first = append(e.first, m)
	case n < latestEvents:
		e.latest = append(e.latest, m)
	default:
		e.latest[n%latestEvents] = m
	}
	e.count++
}

// all is what was kept, in its order, and how many were left out before index gap.
func (e *eventLog) all() (kept []moment, gap, left int) {
	kept = append(kept, e.first...)
	gap, left = len(kept), e.count-len(e.first)-len(e.latest)
	start := 0
	if left > 0 {
		start = (e.count - firstEvents) % latestEvents
	}
	kept = append(kept, e.latest[start:]...)
	return append(kept, e.latest[:start]...), gap, left
}
