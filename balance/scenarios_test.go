package balance

import (
	"math"
	"sort"
	"time"
)

// simLink says what a link and the server behind it are like. Rates are
// Mbit/s of packets, delays one way.
type simLink struct {
	rate  float64
	delay time.Duration
	loss  float64
	dead  bool
}

// simEvent changes something at a time. Link -1 means all of them.
type simEvent struct {
	at   time.Duration
	link int
	do   string // "rate", "blackhole", "back", "kill", "restart"
	rate float64
}

type scenario struct {
	name    string
	size    int64
	seg     int64 // 0: as design.md says
	links   []simLink
	access  float64 // Mbit/s, 0: no limit
	events  []simEvent
	streams int // most lanes a server, 0: one
	fixed   int // lanes a server always has, 0: one
	chunk   int // bytes; 0: by the size of the file
	noFirst bool
	full    bool          // slow start fills the queue: nothing ends it before
	buffers float64       // bytes that a lane's ends have room for, 0: any number
	pauses  time.Duration // the client stands still for up to so long, about 20 times a second
	seed    uint64
	limit   time.Duration // virtual time after which the run is given up

	most  float64 // greatest ratio to the fluid limit that passes
	lanes int     // lanes a server may need, 0: any number
	parts int64   // bytes that may come in vain in parts of segments, too, beyond what may come twice

	greedy bool // no balancer: every lane always has something to send
}

const ms = time.Millisecond

func mib(n float64) int64 { return int64(n * (1 << 20)) }

func equal(n int, l simLink) (ls []simLink) {
	for range n {
		ls = append(ls, l)
	}
	return ls
}

// rig returns the scenarios of the rig on which the program is measured, with
// its numbers and events.
func rig() []scenario {
	s2 := []simLink{{rate: 10, delay: 5 * ms}, {rate: 20, delay: 20 * ms}, {rate: 40, delay: 40 * ms}, {rate: 80, delay: 10 * ms}}
	s1 := equal(4, simLink{rate: 50, delay: 10 * ms})
	part := func(sc scenario, f float64) time.Duration {
		return time.Duration(fluidLimit(sc) * f * 1e9)
	}
	four := scenario{size: mib(96), links: s2}
	same := scenario{size: mib(64), links: s1}
	all := []scenario{
		{name: "s1 four equal", most: 1.025, lanes: 1, size: mib(64), links: s1},
		{name: "s2 four unequal", most: 1.036, size: mib(96), links: s2},
		{name: "s3 fastest killed", most: 1.045, size: mib(96), links: s2, events: []simEvent{{at: part(four, 0.4), link: 3, do: "kill"}}},
		{name: "s4 one silent for ever", most: 1.045, size: mib(96), links: s2, events: []simEvent{{at: part(four, 0.4), link: 2, do: "blackhole"}}},
		{name: "s5 8 MiB unequal", most: 1.16, lanes: 1, size: mib(8), links: []simLink{
			{rate: 5, delay: 25 * ms}, {rate: 10, delay: 25 * ms}, {rate: 20, delay: 25 * ms}, {rate: 40, delay: 25 * ms}}},
		{name: "s6 lossy and long", most: 2.5, size: mib(64), links: equal(4, simLink{rate: 50, delay: 40 * ms, loss: 0.005})},
		{name: "s7 swings", most: 1.09, size: mib(64), links: []simLink{
			{rate: 80, delay: 15 * ms}, {rate: 4, delay: 15 * ms}, {rate: 20, delay: 15 * ms}, {rate: 20, delay: 15 * ms}},
			events: []simEvent{{at: 2 * time.Second, link: 0, do: "rate", rate: 4}, {at: 2 * time.Second, link: 1, do: "rate", rate: 80}}},
		{name: "s8 six unequal", most: 1.04, lanes: 1, size: mib(128), links: []simLink{
			{rate: 100, delay: 5 * ms}, {rate: 80, delay: 10 * ms}, {rate: 60, delay: 15 * ms},
			{rate: 40, delay: 20 * ms}, {rate: 20, delay: 25 * ms}, {rate: 10, delay: 30 * ms}}},
		{name: "s9 all silent 5 s", most: 1.04, lanes: 2, size: mib(64), links: s1, events: []simEvent{
			{at: part(same, 0.5), link: -1, do: "blackhole"}, {at: part(same, 0.5) + 5*time.Second, link: -1, do: "back"}}},
		{name: "s10 one dead, one very slow", most: 1.03, lanes: 1, size: mib(48), links: []simLink{
			{rate: 60, delay: 10 * ms}, {rate: 60, delay: 10 * ms, dead: true}, {rate: 0.5, delay: 10 * ms}, {rate: 60, delay: 10 * ms}}},
		{name: "s11 sixteen", most: 1.01, lanes: 1, size: mib(48), links: equal(16, simLink{rate: 10, delay: 5 * ms})},
		{name: "s12 shared access", most: 1.02, size: mib(64), access: 100, links: equal(4, simLink{rate: 100, delay: 10 * ms})},
	}
	for i := range all {
		all[i].streams = 16
	}
	return all
}

// fluidLimit is when the summed goodput of the links has carried the file,
// plus the shortest round trip, in seconds.
func fluidLimit(sc scenario) float64 {
	links := make([]fluidLink, len(sc.links))
	rtt := math.Inf(1)
	for i, l := range sc.links {
		links[i] = fluidLink{l.rate, l.dead, false}
		rtt = min(rtt, 2*l.delay.Seconds())
	}
	events := append([]simEvent(nil), sc.events...)
	sort.SliceStable(events, func(i, j int) bool { return events[i].at < events[j].at })
	left, t := float64(sc.size), 0.0
	for _, e := range events {
		rate := fluidRate(links, sc.access)
		dt := e.at.Seconds() - t
		if rate*dt >= left {
			return t + left/rate + rtt
		}
		left -= rate * dt
		t += dt
		for i := range links {
			if e.link < 0 || e.link == i {
				links[i].apply(e)
			}
		}
	}
	return t + left/fluidRate(links, sc.access) + rtt
}

// fluidLink is what counts of a link in the fluid limit.
type fluidLink struct {
	rate        float64
	dead, black bool
}

func (l *fluidLink) apply(e simEvent) {
	switch e.do {
	case "rate":
		l.rate = e.rate
	case "blackhole":
		l.black = true
	case "back":
		l.black = false
	case "kill":
		l.dead = true
	case "restart":
		l.dead = false
	}
}

// fluidRate is what all links carry together, in bytes/s.
func fluidRate(links []fluidLink, access float64) (sum float64) {
	for _, l := range links {
		if !l.dead && !l.black {
			sum += goodput(l.rate)
		}
	}
	if access > 0 {
		sum = min(sum, goodput(access))
	}
	return sum
}
