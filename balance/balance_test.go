package balance

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func only(kind OrderKind, orders []Order) (list []Order) {
	for _, o := range orders {
		if o.Kind == kind {
			list = append(list, o)
		}
	}
	return list
}

func TestMeterIsUnbiased(t *testing.T) {
	var m meter
	now := epoch
	m.add(1000, now)
	if m.known() {
		t.Fatal("a rate is known from one sample")
	}
	for range 5 {
		now = now.Add(10 * ms)
		m.add(1000, now)
		if r := m.rate(now); math.Abs(r-100_000) > 1 {
			t.Fatalf("rate %.0f from the first samples on, want 100000", r)
		}
	}
	m.pause()
	if r := m.rate(now.Add(time.Hour)); math.Abs(r-100_000) > 1 {
		t.Fatalf("rate %.0f after a pause, want 100000", r)
	}
	m.add(5000, now.Add(time.Hour))
	if r := m.rate(now.Add(time.Hour)); math.Abs(r-100_000) > 1 {
		t.Fatalf("rate %.0f: the first bytes after a pause were counted", r)
	}
	now = now.Add(time.Hour)
	for range 100 {
		now = now.Add(20 * ms)
		m.add(1000, now)
	}
	if r := m.rate(now); r < 50_000 || r > 70_000 {
		t.Fatalf("rate %.0f two half-lives after it fell to 50000", r)
	}
}

func TestEmptyFile(t *testing.T) {
	b := New(Config{Size: 0, SegmentSize: 16 << 10})
	b.Join(1, 0, 0, epoch)
	if !b.Done() || len(b.Plan(epoch)) != 0 || !b.Next(epoch).IsZero() {
		t.Fatal("an empty file is not done at once")
	}
}

// TestAdopt: data that is on its way already stays, and what another lane has
// been asked for is cut off.
func TestAdopt(t *testing.T) {
	const seg = 16 << 10
	b := New(Config{Size: 100 * seg, SegmentSize: seg, Servers: 2})
	b.Have(50)
	b.Join(1, 0, 20*ms, epoch)
	b.Adopt(1, 0, Run{0, 50}, epoch)
	b.Join(2, 1, 20*ms, epoch)
	b.Adopt(2, 0, Run{40, 30}, epoch)
	if got := b.byID[1].owed; got != 50*seg {
		t.Errorf("lane 1 is owed %d bytes, want %d", got, 50*seg)
	}
	// Of lane 2's thirty segments eleven are not free, nineteen are: the
	// prefix is not worth having.
	if got := b.byID[2].owed; got != 0 {
		t.Errorf("lane 2 is owed %d bytes, want 0", got)
	}
	shorts := only(Shorten, b.Plan(epoch))
	want := Order{Kind: Shorten, Lane: 2, Server: 1, ID: 0, Keep: 0}
	if len(shorts) != 1 || shorts[0] != want {
		t.Errorf("orders %+v, want one %+v", shorts, want)
	}
	if err := b.check(); err != nil {
		t.Error(err)
	}
}

// TestFirstRates: the first moments on a fast path tell any rate. The lane that seems to be the fastest by far is
// owed no more than several times what it has brought, and the others get their share.
func TestFirstRates(t *testing.T) {
	const seg = 256 << 10
	b := New(Config{Size: 4096 * seg, SegmentSize: seg, Servers: 2})
	b.Join(1, 0, ms/20, epoch)
	b.Join(2, 1, ms/20, epoch)
	now, came := epoch, int64(0)
	for range 10 {
		now, came = now.Add(ms/5), came+4*seg
		b.Received(1, 4*seg, now)
		b.Received(2, seg/16, now)
		b.Plan(now)
	}
	if owed := b.byID[1].owed; owed > evidence*came+seg || owed < came {
		t.Errorf("after %d bytes at 5 GB/s lane 1 is owed %d, want no more than %d times as many", came, owed, evidence)
	}
}

// TestSilence: a lane that falls silent is probed; its work goes to others once
// there is nothing else; what it brings after all still counts, and it is
// used again.
func TestSilence(t *testing.T) {
	const seg = 16 << 10
	b := New(Config{Size: 400 * seg, SegmentSize: seg, Servers: 2})
	b.Join(1, 0, 10*ms, epoch)
	b.Adopt(1, 0, Run{0, 32}, epoch)
	b.Join(2, 1, 10*ms, epoch)
	b.Adopt(2, 0, Run{32, 32}, epoch)
	two := &busyLane{t: t, b: b, id: 2, now: epoch.Add(10 * ms)}
	two.ask(0, Run{32, 32})
	two.obey(b.Plan(epoch))

	b.Received(1, seg, epoch.Add(15*ms))
	b.Verified(1, 0, 0, epoch.Add(15*ms)) // and then it is silent
	var probes []Order
	for len(probes) == 0 && !b.Done() {
		probes = only(Probe, two.step())
	}
	if d := two.now.Sub(epoch); b.Done() || d < leastSilence || d > time.Second {
		t.Fatalf("probes %+v after %v", probes, d)
	}
	if probes[0].Lane != 1 || !b.Silent(1) || b.Silent(2) {
		t.Fatal("the wrong lane is silent")
	}
	if b.free.count == 0 {
		t.Fatal("the pool is dry too early for this test")
	}

	b.Received(1, seg, two.now) // it is back for a moment
	if !b.Verified(1, 0, 1, two.now) || b.Silent(1) {
		t.Fatal("what a silent lane brings does not count")
	}
	for !b.Done() {
		two.step()
	}
	b.Received(1, seg, two.now)
	if b.Verified(1, 0, 2, two.now) || b.Silent(1) || b.wasted != seg {
		t.Fatal("a late copy is not counted as a duplicate")
	}
	if err := b.check(); err != nil {
		t.Error(err)
	}
}

// TestBackBesideANewOne: a lane that is back from a silence stays, and goes on at what its connection knows of
// the path, unless the one that was made beside it is known to be faster.
func TestBackBesideANewOne(t *testing.T) {
	const seg = 16 << 10
	for brought, stays := range map[int]Lane{0: 1, 40: 2} {
		b := New(Config{Size: 4000 * seg, SegmentSize: seg, Servers: 2})
		b.Join(1, 0, 10*ms, epoch)
		b.Adopt(1, 0, Run{0, 400}, epoch)
		now := bring(b, 1, 0, 0, 100, 5*ms, epoch)
		b.Join(3, 1, 10*ms, epoch) // a faster server, by which more is expected of any new lane
		b.Adopt(3, 0, Run{2000, 2000}, epoch)
		bring(b, 3, 0, 2000, 2400, ms, epoch)
		for ; !b.Silent(1); now = now.Add(10 * ms) {
			b.Blocked(3, now)
			b.Plan(now)
		}
		now = bring(b, 1, 0, 100, 110, 40*ms, now)
		b.Join(2, 0, 10*ms, now)
		b.Adopt(2, 0, Run{1000, 100}, now)
		now = bring(b, 2, 0, 1000, 1000+brought, ms, now)
		b.Plan(now)
		for id := Lane(1); id <= 2; id++ {
			if l := b.byID[id]; (l != nil && !l.retiring) != (id == stays) {
				t.Errorf("the new one has brought %d segments: lane %d is wrongly kept or closed", brought, id)
			}
		}
	}
}

// TestCame: what is behind a lost packet counts for the rate when it comes, and not once more; on a short path,
// where it is soon there, nobody asks.
func TestCame(t *testing.T) {
	for rtt, want := range map[time.Duration][]int{
		40 * ms: {50_000, 31_000, 0, 0, 4_000},
		ms:      {10_000, 1_000, 60_000, 3_000, 11_000},
	} {
		var aside int64
		b := New(Config{Size: 1 << 20, SegmentSize: 16 << 10, OutOfOrder: func(Lane) int64 { return aside }})
		b.Join(1, 0, rtt, epoch)
		b.Adopt(1, 0, Run{0, 64}, epoch)
		l := b.byID[1]
		for i, step := range []struct {
			aside int64
			read  int
		}{{40_000, 10_000}, {70_000, 1_000}, {0, 60_000}, {0, 3_000}, {0, 11_000}} {
			aside = step.aside
			b.tick(epoch.Add(time.Duration(i+1) * ms))
			if got := b.came(l, step.read); got != want[i] {
				t.Errorf("round trip %v, step %d: %d bytes came, want %d", rtt, i, got, want[i])
			}
		}
	}
}

// busyLane brings what it is asked for, a segment every 5 ms.
type busyLane struct {
	t     *testing.T
	b     *Balancer
	id    Lane
	now   time.Time
	asked []askedSegment
}

type askedSegment struct {
	req uint32
	seg int
}

func (l *busyLane) ask(req uint32, run Run) {
	for s := run.First; s < run.End(); s++ {
		l.asked = append(l.asked, askedSegment{req, s})
	}
}

func (l *busyLane) obey(orders []Order) {
	for _, o := range only(Ask, orders) {
		if o.Lane == l.id {
			l.ask(o.ID, o.Run)
		}
	}
}

// step brings the next segment; if none is asked for, it only lets time pass. It returns what
// the balancer orders then.
func (l *busyLane) step() []Order {
	l.t.Helper()
	if len(l.asked) > 0 {
		l.now = l.now.Add(5 * ms)
		l.b.Received(l.id, int(l.b.cfg.SegmentSize), l.now)
		if !l.b.Verified(l.id, l.asked[0].req, l.asked[0].seg, l.now) {
			l.t.Fatal("a first copy is taken for a duplicate")
		}
		l.asked = l.asked[1:]
	} else if l.now = l.b.Next(l.now); l.now.IsZero() || l.now.Sub(epoch) > time.Minute {
		l.t.Fatalf("lane %d is not given the last %d segments", l.id, l.b.undone)
	}
	orders := l.b.Plan(l.now)
	l.obey(orders)
	return orders
}

// TestFixedStreams: the lanes that a server should have are opened, and again
// when one is lost or could not be opened.
func TestFixedStreams(t *testing.T) {
	b := New(Config{Size: 1 << 30, SegmentSize: 256 << 10, MinStreams: 3, MaxStreams: 3})
	b.Join(1, 0, 10*ms, epoch)
	if n := len(only(Open, b.Plan(epoch))); n != 2 {
		t.Fatalf("%d lanes to open, want 2", n)
	}
	b.Join(2, 0, 10*ms, epoch)
	b.NotOpened(0, epoch)
	now := epoch.Add(100 * ms)
	if n := len(only(Open, b.Plan(now))); n != 0 {
		t.Fatal("tried again at once")
	}
	now = epoch.Add(5 * time.Second)
	if n := len(only(Open, b.Plan(now))); n != 1 {
		t.Fatalf("%d lanes to open after a failure, want 1", n)
	}
	b.Join(3, 0, 10*ms, now)
	b.Leave(2, now)
	now = now.Add(time.Second)
	if n := len(only(Open, b.Plan(now))); n != 1 {
		t.Fatalf("%d lanes to open after a loss, want 1", n)
	}
}

// TestBlocked: a lane that waits for the caller's disk is not silent, however long it
// takes; when it has stopped waiting it is, as any other.
func TestBlocked(t *testing.T) {
	const seg = 16 << 10
	b := New(Config{Size: 400 * seg, SegmentSize: seg, Servers: 1})
	b.Join(1, 0, 10*ms, epoch)
	b.Adopt(1, 0, Run{0, 32}, epoch)
	now := epoch.Add(10 * ms)
	b.Received(1, seg, now)
	for range 100 {
		now = now.Add(100 * ms)
		b.Blocked(1, now)
		if probes := only(Probe, b.Plan(now)); len(probes) > 0 || b.Silent(1) {
			t.Fatalf("silent %t after %v: %v", b.Silent(1), now.Sub(epoch), probes)
		}
	}
	now = now.Add(10 * time.Second)
	if probes := only(Probe, b.Plan(now)); len(probes) == 0 || !b.Silent(1) {
		t.Fatal("not silent after 10 s")
	}
	b.Blocked(1, now)
	if b.Silent(1) {
		t.Error("silent while it waits")
	}
	b.Blocked(7, now) // nobody
	if err := b.check(); err != nil {
		t.Error(err)
	}
}

// TestGhost: a segment that was cancelled may come after it has been asked for again on the
// same lane. It counts, and pays nothing off of what was asked for since.
func TestGhost(t *testing.T) {
	const seg = 16 << 10
	b := New(Config{Size: 60 * seg, SegmentSize: seg, Servers: 2})
	b.Join(1, 0, 10*ms, epoch)
	b.Adopt(1, 0, Run{0, 30}, epoch)
	b.cut(b.byID[1], b.byID[1].reqs[0], 10)
	b.Adopt(1, 1, Run{10, 20}, epoch)
	now := epoch
	for i := range 11 {
		now = now.Add(10 * ms)
		b.Received(1, seg, now)
		if !b.Verified(1, 0, i, now) {
			t.Errorf("segment %d does not count", i)
		}
	}
	if got := b.byID[1].owed; got != 20*seg {
		t.Errorf("%d bytes are outstanding, want %d", got, 20*seg)
	}
	if r := b.byID[1].reqs[0]; r.state[0] != 0 || r.state[1] != wanted {
		t.Error("the segment that came is still wanted, or the next one is not")
	}
	if err := b.check(); err != nil {
		t.Error(err)
	}
}

// TestLastLaneIsUsed: a lane that was one too many is not, once the other is gone.
func TestLastLaneIsUsed(t *testing.T) {
	const seg = 16 << 10
	b := New(Config{Size: 400 * seg, SegmentSize: seg, Servers: 1})
	b.Join(1, 0, 10*ms, epoch)
	b.Join(2, 0, 10*ms, epoch)
	now := epoch
	retiring := func(id Lane) bool { return b.byID[id].retiring }
	for i := 0; !retiring(1) && !retiring(2); i++ { // both prove themselves, so one is to go
		if i == 100 {
			t.Fatal("nobody is to go")
		}
		now = now.Add(10 * ms)
		for id := range Lane(2) {
			b.Received(id+1, seg, now)
			b.Verified(id+1, 0, 2*i+int(id), now)
		}
		b.Plan(now)
	}
	last, other := Lane(1), Lane(2)
	if retiring(other) {
		last, other = other, last
	}
	b.Leave(other, now)
	for range 100 {
		now = now.Add(10 * ms)
		if len(only(Ask, b.Plan(now))) > 0 {
			return
		}
		b.Received(last, seg, now)
	}
	t.Fatal("the last lane gets no work")
}

// TestBound holds that no more is asked for than the caller can hold, until it says so.
func TestBound(t *testing.T) {
	const seg = 16 << 10
	b := New(Config{Size: 400 * seg, SegmentSize: seg, Servers: 2})
	b.Bound(10 * seg)
	b.Join(1, 0, 10*ms, epoch)
	b.Adopt(1, 0, Run{0, 6}, epoch)
	b.Join(2, 1, 10*ms, epoch)
	out := 6
	count := func(orders []Order) {
		for _, o := range orders {
			if o.Kind == Ask {
				out += o.Run.Count
			}
		}
	}
	count(b.Plan(epoch))
	if out != 10 {
		t.Errorf("%d segments are out, want 10", out)
	}
	now := epoch.Add(10 * ms)
	b.Received(1, 6*seg, now)
	b.Reached(1, 0, 6*seg, now)
	if orders := b.Plan(now); len(orders) > 0 {
		t.Errorf("what has come and not verified counts no more: %+v", orders)
	}
	b.Bound(0)
	if count(b.Plan(now)); out <= 10 {
		t.Error("nothing more is asked for without a bound")
	}
}

// TestReserve: what a server that has yet to answer was asked for is left to it while there is other
// work. Then others take it from its end on; and all of it, when the server will not join.
func TestReserve(t *testing.T) {
	const seg = 16 << 10
	start := func(segs int64) *Balancer {
		b := New(Config{Size: segs * seg, SegmentSize: seg, Servers: 2})
		b.Join(1, 0, 10*ms, epoch)
		b.Adopt(1, 0, Run{0, 4}, epoch)
		b.Reserve(1, Run{4, 4}, epoch)
		return b
	}
	taken := func(b *Balancer, now time.Time) (segs []int) {
		for _, o := range only(Ask, b.Plan(now)) {
			for s := o.Run.First; s < o.Run.End(); s++ {
				segs = append(segs, s)
			}
		}
		if err := b.check(); err != nil {
			t.Error(err)
		}
		return segs
	}
	deliver := func(b *Balancer, now time.Time) {
		for s := range 4 {
			b.Received(1, seg, now)
			b.Verified(1, 0, s, now)
		}
	}
	now := epoch.Add(10 * ms)

	plenty := start(100)
	if got := taken(plenty, now); slices.Contains(got, 4) || slices.Contains(got, 7) {
		t.Errorf("the first lane is asked for %v", got)
	}
	plenty.Join(2, 1, 10*ms, now)
	plenty.Adopt(2, 0, Run{4, 4}, now)
	if got := plenty.byID[2].owed; got != 4*seg {
		t.Errorf("the second lane is owed %d bytes of its four segments", got)
	}

	scarce := start(8)
	deliver(scarce, now)
	if got := taken(scarce, now); len(got) > 0 {
		t.Errorf("the first lane is asked for %v, whose server may be about to answer", got)
	}
	if got := taken(scarce, epoch.Add(answerTime)); len(got) == 0 || slices.Contains(got, 4) || !slices.Contains(got, 7) {
		t.Errorf("the first lane is asked for %v, want the end of the reserve", got)
	}

	other := start(12)
	other.Forgo(1, 4, epoch)
	other.Reserve(2, Run{8, 4}, epoch)
	other.Reserve(1, Run{4, 4}, epoch.Add(answerTime))
	deliver(other, now)
	other.Join(2, 2, 10*ms, epoch.Add(2*answerTime))
	other.Adopt(2, 0, Run{8, 4}, epoch.Add(2*answerTime))
	if got := taken(other, epoch.Add(2*answerTime)); slices.Contains(got, 7) {
		t.Errorf("%v is asked for, of a server that has not taken as long as the other", got)
	}
	if got := taken(other, epoch.Add(3*answerTime)); !slices.Contains(got, 7) {
		t.Errorf("%v is asked for, want the end of the reserve", got)
	}

	for name, end := range map[string]func(b *Balancer) time.Time{
		"it failed":     func(b *Balancer) time.Time { b.Forgo(1, 4, now); return now },
		"it took long":  func(b *Balancer) time.Time { return epoch.Add(reserveTime) },
		"no other work": func(b *Balancer) time.Time { return now },
	} {
		b := start(8)
		deliver(b, now)
		for at := end(b); !b.Done(); at = at.Add(10 * ms) {
			for _, o := range only(Ask, b.Plan(at)) {
				for s := o.Run.First; s < o.Run.End(); s++ {
					b.Received(1, seg, at)
					b.Verified(1, o.ID, s, at)
				}
			}
			if at.After(now.Add(2 * reserveTime)) {
				t.Fatalf("%s: %d segments are left", name, b.undone)
			}
		}
	}
}

// TestOffer: a server is offered a segment for the greeting of a later connection, which nobody else is asked
// for meanwhile; not where others would be through sooner, nor where all is on its way, unless a server is silent.
func TestOffer(t *testing.T) {
	const seg = 16 << 10
	start := func(segs int) (*Balancer, time.Time) { // servers of 3.3 MB/s and of 40 kB/s; the slow one is gone
		b := New(Config{Size: int64(segs) * seg, SegmentSize: seg, Servers: 2})
		now := epoch
		for l, run := range []Run{{0, 220}, {220, 10}} {
			b.Join(Lane(l), l, 10*ms, now)
			b.Adopt(Lane(l), 0, run, now)
		}
		for i := range 215 {
			now = now.Add(5 * ms)
			b.Received(0, seg, now)
			b.Verified(0, 0, i, now)
			b.Received(1, 200, now)
		}
		b.Leave(1, now)
		return b, now
	}

	b, now := start(4000)
	seg1, ok := b.Offer(1, now)
	if !ok || b.Reserved(1, seg1) != 1 || b.free.has(seg1) {
		t.Errorf("no segment is kept for the slow server (%d, %v) with most of the file to come", seg1, ok)
	}
	if seg2, ok := b.Offer(1, now); !ok || seg2 == seg1 {
		t.Errorf("segment %d is offered, and then %d (%v)", seg1, seg2, ok)
	}
	if b.Forgo(1, seg1, now); !b.free.has(seg1) {
		t.Errorf("segment %d is not free though its server will not join", seg1)
	}

	b, now = start(240)
	if seg, ok := b.Offer(1, now); ok {
		t.Errorf("the slow server is offered segment %d near the end", seg)
	}
	if _, ok := b.Offer(0, now); !ok {
		t.Error("the fast one is not")
	}

	b = New(Config{Size: 64 * seg, SegmentSize: seg, Servers: 1})
	b.Join(1, 0, 10*ms, epoch)
	b.Adopt(1, 0, Run{0, 64}, epoch)
	if seg, ok := b.Offer(0, epoch); ok {
		t.Errorf("segment %d is offered, which is on its way", seg)
	}
	now = epoch.Add(2 * firstByteLimit)
	b.Plan(now)
	at, ok := b.Offer(0, now)
	b.Join(2, 0, 10*ms, now)
	b.Adopt(2, 0, Run{at, 1}, now)
	b.Received(2, seg, now.Add(10*ms))
	b.Verified(2, 0, at, now.Add(10*ms))
	if orders := b.Plan(now.Add(10 * ms)); !ok || len(only(Ask, orders)) == 0 || len(only(Close, orders)) > 0 {
		t.Errorf("want the lane that was made beside a silent one to be asked for more: %v, %+v", ok, orders)
	}
	if err := b.check(); err != nil {
		t.Error(err)
	}
}

// TestCrowd: in a crowd bytes, the first byte and a server that has not joined are waited for longer, and not
// for ever.
func TestCrowd(t *testing.T) {
	const seg = 16 << 10
	const late = 6 * max(leastSilence, firstByteLimit, reserveTime) / 5
	for _, c := range []struct {
		crowd bool
		at    time.Duration
		over  bool
	}{{false, late, true}, {true, late, false}, {true, crowdPatience * late, true}} {
		b := New(Config{Size: 40 * seg, SegmentSize: seg, Servers: 3, Crowded: func() bool { return c.crowd }})
		b.Reserve(2, Run{20, 4}, epoch)
		for lane := range Lane(2) {
			b.Join(lane, int(lane), 10*ms, epoch)
			b.Adopt(lane, 0, Run{int(lane) * 8, 8}, epoch)
		}
		b.Received(0, seg, epoch.Add(10*ms)) // and nothing more, nor ever a byte by lane 1
		b.Plan(epoch.Add(c.at))
		if silent, first, gone := b.Silent(0), b.Silent(1), b.Reserved(2, 20) == 0; silent != c.over || first != c.over || gone != c.over {
			t.Errorf("%+v: silent %v and, before its first byte, %v; reserve over %v", c, silent, first, gone)
		}
	}
}

// TestBeyondReach: a server of unknown rate may have sent what slow start lets it, one whose
// rate grows three times what the rate tells, and one that is steady just that.
func TestBeyondReach(t *testing.T) {
	const seg = 16 << 10
	start := func() (b *Balancer, at func(d time.Duration) int64) {
		b = New(Config{Size: 4000 * seg, SegmentSize: seg})
		b.Join(1, 0, 40*ms, epoch)
		b.Adopt(1, 0, Run{0, 400}, epoch)
		return b, func(d time.Duration) int64 {
			b.tick(epoch.Add(d))
			return b.beyondReach(b.byID[1]) - sendQueue
		}
	}
	_, at := start()
	if at(0) != 2*14600 || at(80*ms) != 8*14600 || at(time.Hour) < 400*seg {
		t.Errorf("of unknown rate: %d bytes, then %d, then %d", at(0), at(80*ms), at(time.Hour))
	}
	b, at := start()
	var early, late int64
	for d := time.Duration(0); d <= 400*ms; d += 5 * ms {
		b.Received(1, 5000, epoch.Add(d)) // 1 MB/s
		if late = at(d); d == 100*ms {
			early = late
		}
	}
	if late != 60_000 || early != 3*late {
		t.Errorf("of 1 MB/s, just known and later: %d and %d bytes, want three times 60,000 and that", early, late)
	}
}

// TestBrief: a lane for the start whose server has one gets no more than it was asked for then, and
// is closed when it has brought it, or after some round trips. It shows in no sample. It stays if the other goes.
func TestBrief(t *testing.T) {
	const seg = 16 << 10
	const rtt = 40 * ms
	start := func() *Balancer {
		b := New(Config{Size: 10_000 * seg, SegmentSize: seg, Servers: 2, MaxStreams: 16})
		b.Reserve(0, Run{0, 8}, epoch)
		b.Reserve(0, Run{40, 16}, epoch)
		if one, two := b.Reserved(0, 0), b.Reserved(0, 40); one != 8 || two != 16 {
			t.Fatalf("%d and %d segments are reserved, want 8 and 16", one, two)
		}
		b.Join(1, 0, rtt, epoch)
		b.Brief(1)
		b.Adopt(1, 0, Run{0, 8}, epoch)
		if got := b.Reserved(0, 40); got != 16 {
			t.Fatalf("%d segments are reserved for the second lane, want 16", got)
		}
		b.Join(2, 0, rtt, epoch)
		b.Brief(2)
		b.Adopt(2, 0, Run{40, 16}, epoch)
		return b
	}
	asked := func(orders []Order, kind OrderKind, lane Lane) (n int) {
		for _, o := range only(kind, orders) {
			if o.Lane == lane {
				n++
			}
		}
		return n
	}

	b := start()
	if orders := b.Plan(epoch); asked(orders, Ask, 1) == 0 || asked(orders, Ask, 2) > 0 {
		t.Errorf("want more to be asked for of the first lane alone: %+v", orders)
	}
	for s := range 16 {
		b.Received(2, seg, epoch.Add(rtt))
		b.Verified(2, 0, 40+s, epoch.Add(rtt))
	}
	if orders := b.Plan(epoch.Add(rtt)); asked(orders, Close, 2) != 1 || asked(orders, Close, 1) != 0 {
		t.Errorf("want the second lane to be closed: %+v", orders)
	}
	if s := b.servers[0]; s.retries > 0 || s.ready.IsZero() || s.ready.After(epoch.Add(rtt+150*ms)) {
		t.Errorf("%d lanes are said to have failed; samples are taken from %v on", s.retries, s.ready.Sub(epoch))
	}

	b = start()
	b.Plan(epoch)
	for trips := range time.Duration(startTrips) + 1 { // a slow path
		at := epoch.Add(trips * rtt)
		b.Received(1, seg/2, at)
		b.Received(2, seg/2, at)
		want := 0
		if trips == startTrips {
			want = 1
		}
		if orders := b.Plan(at); asked(orders, Shorten, 2) != want {
			t.Errorf("after %d round trips: want %d orders to take back what the second lane was not sent: %+v", trips, want, orders)
		}
	}

	b = start()
	b.Leave(1, epoch)
	if orders := b.Plan(epoch); asked(orders, Ask, 2) == 0 || asked(orders, Close, 2) > 0 {
		t.Errorf("want the second lane to take the place of the first: %+v", orders)
	}
	if err := b.check(); err != nil {
		t.Error(err)
	}
}

// TestBehind: nothing is taken of a lane, nor of a server that has yet to answer, while it is the caller that
// is slow; then it is.
func TestBehind(t *testing.T) {
	const seg = 16 << 10
	behind := true
	b := New(Config{Size: 64 * seg, SegmentSize: seg, Servers: 3, Behind: func(l Lane) bool { return l == 2 && behind }})
	for l := range Lane(2) {
		b.Join(l+1, int(l), ms, epoch)
		b.Adopt(l+1, 0, Run{int(l) * 24, 24}, epoch)
	}
	b.Reserve(2, Run{48, 16}, epoch)
	now := epoch
	taken := 0
	step := func() {
		for range 5 { // 5 ms
			now = now.Add(ms)
			for _, o := range only(Ask, b.Plan(now)) {
				taken += o.Run.Count
			}
		}
	}
	for s := range 24 { // the first lane brings 3 MB/s, the second one a twentieth of it
		b.Received(1, seg, now)
		b.Verified(1, 0, s, now)
		b.Received(2, seg/20, now)
		step()
	}
	for range 4 {
		step()
	}
	if taken > 0 {
		t.Errorf("%d segments were taken of lane 2 or of the reserve, though the caller is behind", taken)
	}
	behind = false
	for range 4 {
		step()
	}
	if taken < 16 {
		t.Errorf("%d segments were taken, when the caller was not behind any more; want the reserve at least", taken)
	}
}

// TestReached holds that only bytes of what was asked for pay it off, whatever else comes.
func TestReached(t *testing.T) {
	const seg = 16 << 10
	b := New(Config{Size: 400 * seg, SegmentSize: seg})
	b.Join(1, 0, 10*ms, epoch)
	b.Adopt(1, 0, Run{0, 8}, epoch)
	b.Adopt(1, 1, Run{8, 8}, epoch)
	now := epoch.Add(10 * ms)
	b.Received(1, 100*seg, now)
	for _, test := range []struct {
		req    uint32
		offset int64
		want   int64
	}{
		{0, 0, 16 * seg},
		{0, 100, 16*seg - 100},
		{0, 50, 16*seg - 100}, // never back
		{0, 20 * seg, 8 * seg},
		{1, 8*seg + 7, 8*seg - 7}, // another request has begun: all of the one before has come
	} {
		if b.Reached(1, test.req, test.offset, now); b.byID[1].owed != test.want {
			t.Errorf("request %d up to %d: %d bytes are outstanding, want %d", test.req, test.offset, b.byID[1].owed, test.want)
		}
	}
}

// TestWiden: where a lane carries more in a round trip than its ends may have room for, another is tried beside
// it, and sooner where they hardly can have.
func TestWiden(t *testing.T) {
	const seg = 64 << 10
	for _, test := range []struct {
		name   string
		rtt    time.Duration
		rate   int // MB/s
		behind bool
		want   int
		after  time.Duration
	}{
		{"a megabyte in a round trip", 100 * ms, 10, false, 0, 0},
		{"one and a half", 100 * ms, 15, false, 1, 1600 * ms},
		{"three", 100 * ms, 30, false, 1, 1000 * ms},
		{"three, on a short path", 15 * ms, 200, false, 0, 0},
		{"three, but the caller is slow", 100 * ms, 30, true, 0, 0},
	} {
		b := New(Config{Size: 1 << 36, SegmentSize: seg, MaxStreams: 4, Behind: func(Lane) bool { return test.behind }})
		b.Join(1, 0, test.rtt, epoch)
		opened, after := 0, time.Duration(0)
		for now := epoch; now.Before(epoch.Add(2 * time.Second)); now = now.Add(ms) {
			b.Received(1, test.rate*1000, now)
			if n := len(only(Open, b.Plan(now))); n > 0 {
				opened, after = opened+n, now.Sub(epoch)
			}
		}
		if opened != test.want || (after-test.after).Abs() > 100*ms {
			t.Errorf("%s: %d more lanes after %v, want %d after %v", test.name, opened, after, test.want, test.after)
		}
	}
}

// TestWidenTries: the lane that is tried stays if both carry more together, and only then.
func TestWidenTries(t *testing.T) {
	for _, test := range []struct {
		rate  float64 // bytes a millisecond
		gain  float64
		until time.Duration
		want  int
	}{
		{15_000, 1, 4000 * ms, 1},
		{15_000, 1.24, 4000 * ms, 2},
		{25_000, 1, 4000 * ms, 1},
		{25_000, 1.24, 3500 * ms, 2}, // then both are wide, and more are tried
	} {
		b := New(Config{Size: 1 << 36, SegmentSize: 64 << 10, MaxStreams: 4})
		b.Join(1, 0, 100*ms, epoch)
		b.Hardy(0)
		lanes, joining := []Lane{1}, time.Time{}
		for now := epoch; now.Before(epoch.Add(test.until)); now = now.Add(ms) {
			if now.Equal(joining) {
				lanes = append(lanes, 2)
				b.Join(2, 0, 100*ms, now)
			}
			bytes := test.rate
			if len(lanes) > 1 {
				bytes *= test.gain
			}
			for _, l := range lanes {
				b.Received(l, int(bytes)/len(lanes), now)
			}
			for _, o := range b.Plan(now) {
				switch o.Kind {
				case Open:
					joining = now.Add(200 * ms)
				case Close:
					b.Leave(o.Lane, now)
				}
			}
		}
		if got := b.servers[0].want; got != test.want || len(lanes) != 2 {
			t.Errorf("%g times the rate of %g with %d lanes: %d stay, want %d of 2", test.gain, test.rate, len(lanes), got, test.want)
		}
	}
}

// TestGapsAreNoReasonForStreams: a full link on which a lost packet now and then holds up what comes behind
// it brings as much as any, only not evenly.
func TestGapsAreNoReasonForStreams(t *testing.T) {
	const seg = 64 << 10
	rnd := rand.New(rand.NewPCG(1, 2))
	b := New(Config{Size: 4000 * seg, SegmentSize: seg, MaxStreams: 16})
	b.Join(1, 0, 80*ms, epoch)
	held, open := 0, epoch // bytes behind the lost packet, and when it comes
	for at := range 2000 {
		now := epoch.Add(time.Duration(at) * 5 * ms)
		if now.After(open.Add(time.Duration(rnd.IntN(1500)) * ms)) {
			open = now.Add(160 * ms) // lost, noticed and sent again
		}
		if held += 5_000; now.Before(open) { // 1 MB/s
			continue
		}
		n := min(held, 64<<10) // as much as is read at once
		held -= n
		b.Received(1, n, now)
		for _, o := range b.Plan(now) {
			if o.Kind == Open {
				t.Fatalf("another lane is opened after %v", now.Sub(epoch))
			}
		}
	}
}

// TestLacks: what was taken for had is asked for once it turns out not to be.
func TestLacks(t *testing.T) {
	const seg = 16 << 10
	b := New(Config{Size: 10*seg + 1, SegmentSize: seg, Servers: 1})
	for i := range 11 {
		b.Have(i)
	}
	b.Join(1, 0, 10*ms, epoch)
	if !b.Done() || len(b.Plan(epoch)) != 0 {
		t.Fatal("all is had, and something is asked for")
	}
	b.Lacks(10, epoch)
	b.Lacks(10, epoch)
	asks := only(Ask, b.Plan(epoch))
	if b.Done() || b.left != 1 || len(asks) != 1 || asks[0].Run != (Run{10, 1}) {
		t.Errorf("asks %+v, %d bytes left; want segment 10 of one byte", asks, b.left)
	}
	if err := b.check(); err != nil {
		t.Error(err)
	}
}
