package balance

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestRandomScripts runs whole downloads under random links and events. The
// simulation itself fails if a segment is missing or first twice.
func TestRandomScripts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "servers")
		sc := scenario{
			size:    rapid.Int64Range(1, 6<<20).Draw(t, "size"),
			streams: rapid.SampledFrom([]int{1, 1, 4, 16}).Draw(t, "streams"),
			access:  rapid.SampledFrom([]float64{0, 0, 30}).Draw(t, "access"),
			noFirst: rapid.Bool().Draw(t, "noFirst"),
			chunk:   8 << 10,
			seed:    rapid.Uint64().Draw(t, "seed"),
			limit:   20 * time.Minute,
		}
		for range n {
			sc.links = append(sc.links, simLink{
				rate:  rapid.Float64Range(0.2, 200).Draw(t, "rate"),
				delay: time.Duration(rapid.IntRange(50, 250_000).Draw(t, "delay")) * time.Microsecond,
				loss:  rapid.SampledFrom([]float64{0, 0, 0.01}).Draw(t, "loss"),
				dead:  rapid.Float64Range(0, 1).Draw(t, "dead") < 0.1,
			})
		}
		// What falls silent or dies comes back in the end.
		for range rapid.IntRange(0, 6).Draw(t, "events") {
			link := rapid.IntRange(-1, n-1).Draw(t, "link")
			at := time.Duration(rapid.IntRange(0, 6000).Draw(t, "at")) * ms
			last := time.Duration(rapid.IntRange(10, 6000).Draw(t, "for")) * ms
			switch rapid.IntRange(0, 2).Draw(t, "what") {
			case 0:
				sc.events = append(sc.events, simEvent{at: at, link: link, do: "blackhole"}, simEvent{at: at + last, link: link, do: "back"})
			case 1:
				sc.events = append(sc.events, simEvent{at: at, link: link, do: "kill"}, simEvent{at: at + last, link: link, do: "restart"})
			case 2:
				sc.events = append(sc.events, simEvent{at: at, link: link, do: "rate", rate: rapid.Float64Range(0.2, 200).Draw(t, "to")})
			}
		}
		sc.events = append(sc.events, simEvent{at: 15 * time.Second, link: -1, do: "restart"}, simEvent{at: 15 * time.Second, link: -1, do: "back"})
		s := newSimulation(sc)
		o := s.run()
		if o.err != nil {
			t.Fatalf("%v", o.err)
		}
		if err := s.b.check(); err != nil {
			t.Fatal(err)
		}
		segs := s.b.segs
		if most := 400*n + 20*segs + int(100*o.seconds)*n; o.orders > most {
			t.Fatalf("%d orders for %d segments in %.1f s", o.orders, segs, o.seconds)
		}
	})
}

// TestRandomCalls drives a Balancer with calls in any order, sensible or not,
// and checks after each that every segment is accounted for. At the end one
// good lane must be able to finish the file.
func TestRandomCalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		segs := rapid.IntRange(1, 200).Draw(t, "segs")
		last := rapid.Int64Range(1, 1000).Draw(t, "last")
		c := &caller{
			T:    t,
			b:    New(Config{Size: int64(segs-1)*1000 + last, SegmentSize: 1000, MaxStreams: rapid.IntRange(1, 4).Draw(t, "streams")}),
			now:  epoch,
			owed: map[Lane][]Order{}, next: 1, first: make([]int, segs),
		}
		for range rapid.IntRange(0, 300).Draw(t, "steps") {
			c.now = c.now.Add(c.duration("ms", 0, 1, 10, 100, 1000, 10000))
			c.call()
			if rapid.Bool().Draw(t, "plan") {
				c.obey()
			} else if err := c.b.check(); err != nil {
				t.Fatal(err)
			}
		}
		for l := Lane(1); l < c.next; l++ {
			c.leave(l)
		}
		c.finish()
		for seg, n := range c.first {
			if n > 1 {
				t.Fatalf("segment %d was first %d times", seg, n)
			}
		}
	})
}

// caller is what calls a Balancer, and its servers.
type caller struct {
	*rapid.T
	b     *Balancer
	now   time.Time
	owed  map[Lane][]Order // what each lane's server believes: of Run, Keep segments are still wanted
	next  Lane             // the lanes before it have joined, and some have left
	first []int            // how often each segment was the first of its kind
}

// number draws one of low to high.
func (c *caller) number(label string, low, high int) int {
	return rapid.IntRange(low, high).Draw(c.T, label)
}

// duration draws one of so many milliseconds.
func (c *caller) duration(label string, of ...int) time.Duration {
	return time.Duration(rapid.SampledFrom(of).Draw(c.T, label)) * ms
}

// lane draws one that was there at some time, or 0, which never was.
func (c *caller) lane() Lane { return Lane(c.number("lane", 0, int(c.next)-1)) }

// segment draws one.
func (c *caller) segment(label string) int { return c.number(label, 0, len(c.first)-1) }

// call makes one call.
func (c *caller) call() {
	b := c.b
	switch c.number("call", 0, 14) {
	case 0, 1:
		c.join()
	case 2:
		c.leave(c.lane())
	case 3:
		b.Have(c.segment("have"))
	case 4:
		l, req, seg := c.lane(), uint32(c.number("request", 0, 5)), c.segment("seg")
		if rapid.Bool().Draw(c.T, "good") {
			c.verified(l, req, seg)
		} else {
			b.Rejected(l, req, seg, c.now)
		}
	case 5:
		b.RTT(c.lane(), time.Duration(c.number("sample", 0, 300))*ms, c.now)
	case 6:
		l := c.lane()
		b.Received(l, c.number("n", 0, 5000), c.now)
		b.Reached(l, uint32(c.number("request", 0, 5)), int64(c.number("offset", -1, len(c.first)*1000)), c.now)
	case 7:
		from := c.segment("from")
		b.Reserve(c.number("server", 0, 5), Run{from, c.number("count", 0, len(c.first))}, c.now)
	case 8:
		if server := c.number("server", 0, 5); rapid.Bool().Draw(c.T, "offer") {
			b.Offer(server, c.now)
		} else {
			b.Forgo(server, c.segment("first"), c.now)
		}
	case 9:
		seg := c.segment("lacks")
		if b.done.has(seg) {
			c.first[seg] = 0
		}
		b.Lacks(seg, c.now)
	default:
		c.deliver(c.lane())
	}
}

// join adds a lane, which may have been asked for something already.
func (c *caller) join() {
	c.b.Join(c.next, c.number("server", 0, 3), time.Duration(c.number("rtt", 0, 300))*ms, c.now)
	if rapid.Bool().Draw(c.T, "adopt") {
		from := c.segment("from")
		run := Run{from, c.number("count", 1, len(c.first)-from)}
		c.b.Adopt(c.next, 0, run, c.now)
		c.owed[c.next] = append(c.owed[c.next], Order{Run: run, Keep: run.Count})
	}
	c.next++
}

func (c *caller) leave(l Lane) {
	c.b.Leave(l, c.now)
	delete(c.owed, l)
}

// obey does what the Balancer wants. A server may heed a cancel too late.
func (c *caller) obey() {
	for _, o := range c.b.Plan(c.now) {
		switch o.Kind {
		case Ask:
			if o.Run.Count < 1 || o.Run.First < 0 || o.Run.End() > len(c.first) {
				c.Fatalf("bad run: %+v", o)
			}
			for _, a := range c.owed[o.Lane] {
				if a.ID == o.ID {
					c.Fatalf("id asked twice: %+v", o)
				}
			}
			o.Keep = o.Run.Count
			c.owed[o.Lane] = append(c.owed[o.Lane], o)
		case Shorten:
			for i := range c.owed[o.Lane] {
				if a := &c.owed[o.Lane][i]; a.ID == o.ID && rapid.Bool().Draw(c.T, "heeded") {
					a.Keep = o.Keep
				}
			}
		case Close:
			c.leave(o.Lane)
		}
	}
	if again := c.b.Plan(c.now); len(again) != 0 {
		c.Fatalf("Plan is not idempotent: %+v", again)
	}
	if err := c.b.check(); err != nil {
		c.Fatal(err)
	}
}

// deliver takes the next segment off a lane, as its server sends it.
func (c *caller) deliver(l Lane) {
	for len(c.owed[l]) > 0 && c.owed[l][0].Keep <= 0 {
		c.owed[l] = c.owed[l][1:]
	}
	if len(c.owed[l]) == 0 {
		return
	}
	a := &c.owed[l][0]
	seg := a.Run.First
	a.Run.First, a.Run.Count, a.Keep = seg+1, a.Run.Count-1, a.Keep-1
	c.b.Received(l, int(c.b.size(seg)), c.now)
	c.verified(l, a.ID, seg)
}

func (c *caller) verified(l Lane, req uint32, seg int) {
	if c.b.Verified(l, req, seg, c.now) {
		c.first[seg]++
	}
}

// finish has a new lane, alone, fetch what is left.
func (c *caller) finish() {
	l := c.next
	c.b.Join(l, 0, 0, c.now)
	for i := 0; !c.b.Done(); i++ {
		if i > 20*len(c.first)+100 {
			c.Fatalf("%d segments never came", c.b.undone)
		}
		c.obey()
		if len(c.owed[l]) == 0 {
			c.now = c.b.Next(c.now)
			if c.now.IsZero() {
				c.Fatalf("nothing asked and nothing to wait for; %d segments left", c.b.undone)
			}
			continue
		}
		c.now = c.now.Add(ms)
		c.deliver(l)
	}
}

// TestPool holds the pool against a plain slice.
func TestPool(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 700).Draw(t, "n")
		p := newPool(n)
		model := make([]bool, n)
		for i := range model {
			model[i] = true
		}
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			from := rapid.IntRange(0, n-1).Draw(t, "from")
			to := rapid.IntRange(from, n).Draw(t, "to")
			member := rapid.Bool().Draw(t, "member")
			p.set(from, to, member)
			for i := from; i < to; i++ {
				model[i] = member
			}
			best, count, run := Run{}, 0, 0
			for i := range model {
				if p.has(i) != model[i] {
					t.Fatalf("segment %d", i)
				}
				if run++; !model[i] {
					run = 0
				} else {
					count++
				}
				if run > best.Count {
					best = Run{i - run + 1, run}
				}
			}
			if got := p.longest(); got != best || p.count != count {
				t.Fatalf("longest %v, want %v; count %d, want %d", got, best, p.count, count)
			}
			at := rapid.IntRange(0, n-1).Draw(t, "at")
			most := rapid.IntRange(1, n).Draw(t, "most")
			want := 0
			for want < most && at+want < n && model[at+want] {
				want++
			}
			if got := p.run(at, most); got != want {
				t.Fatalf("run at %d up to %d: %d, want %d", at, most, got, want)
			}
		}
	})
}
