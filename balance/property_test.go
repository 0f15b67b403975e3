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
		b := New(Config{Size: int64(segs-1)*1000 + last, SegmentSize: 1000, MaxStreams: rapid.IntRange(1, 4).Draw(t, "streams")})
		now := epoch
		type asked struct {
			id   uint32
			run  Run
			keep int
		}
		owed := map[Lane][]asked{} // what each lane's server believes
		var lanes []Lane
		first := make([]int, segs)
		next := Lane(1)
		obey := func() {
			for _, o := range b.Plan(now) {
				switch o.Kind {
				case Ask:
					if o.Run.Count < 1 || o.Run.First < 0 || o.Run.End() > segs {
						t.Fatalf("bad run: %+v", o)
					}
					for _, a := range owed[o.Lane] {
						if a.id == o.ID {
							t.Fatalf("id asked twice: %+v", o)
						}
					}
					owed[o.Lane] = append(owed[o.Lane], asked{o.ID, o.Run, o.Run.Count})
				case Shorten:
					for i := range owed[o.Lane] {
						if a := &owed[o.Lane][i]; a.id == o.ID && rapid.Bool().Draw(t, "heeded") {
							a.keep = o.Keep
						}
					}
				case Close:
					b.Leave(o.Lane, now)
					delete(owed, o.Lane)
				}
			}
			if again := b.Plan(now); len(again) != 0 {
				t.Fatalf("Plan is not idempotent: %+v", again)
			}
			if err := b.check(); err != nil {
				t.Fatal(err)
			}
		}
		verified := func(l Lane, req uint32, seg int) {
			if b.Verified(l, req, seg, now) {
				first[seg]++
			}
		}
		// deliver takes the next segment off a lane, as its server sends it.
		deliver := func(l Lane) {
			for len(owed[l]) > 0 && owed[l][0].keep <= 0 {
				owed[l] = owed[l][1:]
			}
			if len(owed[l]) == 0 {
				return
			}
			a := &owed[l][0]
			seg := a.run.First
			a.run.First, a.run.Count, a.keep = seg+1, a.run.Count-1, a.keep-1
			b.Received(l, int(b.size(seg)), now)
			verified(l, a.id, seg)
		}
		lane := func() Lane {
			return rapid.SampledFrom(append([]Lane{0}, lanes...)).Draw(t, "lane")
		}
		for range rapid.IntRange(0, 300).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 10, 100, 1000, 10000}).Draw(t, "ms")) * ms)
			switch rapid.IntRange(0, 12).Draw(t, "call") {
			case 0, 1:
				lanes = append(lanes, next)
				b.Join(next, rapid.IntRange(0, 3).Draw(t, "server"), time.Duration(rapid.IntRange(0, 300).Draw(t, "rtt"))*ms, now)
				if rapid.Bool().Draw(t, "adopt") {
					lo := rapid.IntRange(0, segs-1).Draw(t, "from")
					run := Run{lo, rapid.IntRange(1, segs-lo).Draw(t, "count")}
					b.Adopt(next, 0, run, now)
					owed[next] = append(owed[next], asked{0, run, run.Count})
				}
				next++
			case 2:
				l := lane()
				b.Leave(l, now)
				delete(owed, l)
			case 3:
				b.Have(rapid.IntRange(0, segs-1).Draw(t, "have"))
			case 4:
				l, req, seg := lane(), rapid.Uint32Range(0, 5).Draw(t, "request"), rapid.IntRange(0, segs-1).Draw(t, "seg")
				if rapid.Bool().Draw(t, "good") {
					verified(l, req, seg)
				} else {
					b.Rejected(l, req, seg, now)
				}
			case 5:
				b.RTT(lane(), time.Duration(rapid.IntRange(0, 300).Draw(t, "sample"))*ms, now)
			case 6:
				l := lane()
				b.Received(l, rapid.IntRange(0, 5000).Draw(t, "n"), now)
				b.Reached(l, rapid.Uint32Range(0, 5).Draw(t, "request"), rapid.Int64Range(-1, int64(segs)*1000).Draw(t, "offset"), now)
			case 7:
				lo := rapid.IntRange(0, segs-1).Draw(t, "from")
				b.Reserve(rapid.IntRange(0, 5).Draw(t, "server"), Run{lo, rapid.IntRange(0, segs).Draw(t, "count")}, now)
			default:
				deliver(lane())
			}
			if rapid.Bool().Draw(t, "plan") {
				obey()
			} else if err := b.check(); err != nil {
				t.Fatal(err)
			}
		}
		for _, l := range lanes {
			b.Leave(l, now)
			delete(owed, l)
		}
		b.Join(next, 0, 0, now)
		for i := 0; !b.Done(); i++ {
			if i > 20*segs+100 {
				t.Fatalf("%d segments never came", b.undone)
			}
			obey()
			if len(owed[next]) == 0 {
				now = b.Next(now)
				if now.IsZero() {
					t.Fatalf("nothing asked and nothing to wait for; %d segments left", b.undone)
				}
				continue
			}
			now = now.Add(ms)
			deliver(next)
		}
		for seg, n := range first {
			if n > 1 {
				t.Fatalf("segment %d was first %d times", seg, n)
			}
		}
	})
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
