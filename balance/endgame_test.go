package balance

import (
	"testing"
	"time"
)

// bring has a lane bring whole segments of a request, one every pause.
func bring(b *Balancer, l Lane, req uint32, from, to int, pause time.Duration, now time.Time) time.Time {
	for seg := from; seg < to; seg++ {
		now = now.Add(pause)
		b.Received(l, int(b.size(seg)), now)
		b.Verified(l, req, seg, now)
	}
	return now
}

// TestUnknownLaneBlocksNobody: a lane of unknown rate that has nothing to do may not fetch the last
// segments a second time, as it might be slow; one that is known to be fast does.
func TestUnknownLaneBlocksNobody(t *testing.T) {
	const seg = 16 << 10
	b := New(Config{Size: 104 * seg, SegmentSize: seg, Servers: 3})
	b.Join(1, 0, 10*ms, epoch)
	b.Adopt(1, 0, Run{100, 4}, epoch)
	b.Join(2, 1, 60*ms, epoch)
	b.Adopt(2, 0, Run{0, 100}, epoch)
	now := bring(b, 2, 0, 0, 100, 8*ms, epoch)
	b.Join(3, 2, 10*ms, now)
	for came := 1000; now.Before(epoch.Add(1500 * ms)); came += 250 {
		now = now.Add(12500 * time.Microsecond)
		b.Received(1, 250, now)
		b.Reached(1, 0, 100*seg+int64(came), now)
		for _, o := range only(Ask, b.Plan(now)) {
			if o.Lane == 2 {
				return
			}
		}
	}
	t.Error("the fast lane is not asked for what the slow one has")
}

// TestLastSegments: a segment is fetched a second time where that gains clearly, and more the less may
// come twice yet; the last few already where it gains anything.
func TestLastSegments(t *testing.T) {
	const seg = 16 << 10
	b := New(Config{Size: 100 * seg, SegmentSize: seg, Servers: 2})
	b.Join(1, 0, 10*ms, epoch)
	b.Adopt(1, 0, Run{0, 50}, epoch)
	b.Join(2, 1, 10*ms, epoch)
	b.Adopt(2, 0, Run{50, 50}, epoch)
	check := func(done float64, spare int64, want bool) {
		t.Helper()
		v := victim{l: b.byID[1], rate: 1e6, end: 0.040}
		if got := b.worthTwice(&v, b.byID[2], done, seg, spare); got != want {
			t.Errorf("with %d segments left, and %d bytes to spare: %v s for 0.040 are worth it: %v", b.undone, spare, done, got)
		}
	}
	now := bring(b, 1, 0, 0, 40, 2*ms, epoch)
	now = bring(b, 2, 0, 50, 90, 2*ms, now)
	check(0.025, b.budget(), true)
	check(0.035, b.budget(), false)
	check(0.025, b.budget()/2, false)
	check(0.010, b.budget()/2, true)
	check(0.001, seg-1, false)
	now = bring(b, 2, 0, 90, 100, 2*ms, now)
	bring(b, 1, 0, 40, 49, 2*ms, now)
	check(0.035, -seg, true)
	check(0.045, b.budget(), false)
}

// TestTakesOverInACrowd: a fast lane takes over what a slow one owes, but in a crowd, where all of it may come twice,
// no more at a time than the budget, unless the slow one would take many seconds.
func TestTakesOverInACrowd(t *testing.T) {
	const seg = 16 << 10
	for _, c := range []struct {
		crowd bool
		pause time.Duration // of the slow lane, for each segment
		all   bool
	}{{false, 4 * ms, true}, {true, 4 * ms, false}, {true, 100 * ms, true}} {
		b := New(Config{Size: 1000 * seg, SegmentSize: seg, Servers: 2, Crowded: func() bool { return c.crowd }})
		for l := range 2 {
			b.Join(Lane(l), l, 10*ms, epoch)
			b.Adopt(Lane(l), 0, Run{500 * l, 500}, epoch)
		}
		now := bring(b, 1, 0, 500, 600, c.pause, epoch)
		now = bring(b, 0, 0, 0, 500, ms, now)
		b.Received(1, seg, now)
		taken := 0
		for _, o := range only(Ask, b.Plan(now)) {
			taken += o.Run.Count
		}
		if budget := int(b.budget() / seg); taken == 0 || c.all != (taken > budget) {
			t.Errorf("%+v: %d segments are taken over, the budget is %d", c, taken, budget)
		}
	}
}

// TestSettleTime: one lane may have brought all of its share before another one brings anything, as they
// take turns on a busy machine. Nothing is moved before that can be told from a slow lane.
func TestSettleTime(t *testing.T) {
	const seg = 16 << 10
	b := New(Config{Size: 128 * seg, SegmentSize: seg, Servers: 2})
	for l := range 2 {
		b.Join(Lane(l), l, 10*ms, epoch)
		b.Adopt(Lane(l), 0, Run{64 * l, 64}, epoch)
	}
	now := bring(b, 0, 0, 0, 64, 30*time.Microsecond, epoch)
	for ; now.Before(epoch.Add(5 * ms)); now = now.Add(ms) {
		if orders := b.Plan(now); len(orders) > 0 {
			t.Errorf("after %v: %v", now.Sub(epoch), orders)
		}
	}
	now = now.Add(b.interval())
	if orders := b.Plan(now); len(only(Ask, orders)) == 0 {
		t.Errorf("nothing is taken over after %v", now.Sub(epoch))
	}
}

// TestSpare: of what a lane holds up nobody is asked for more a second time than may come twice,
// however little of it that lane is expected to bring meanwhile.
func TestSpare(t *testing.T) {
	const seg = 16 << 10
	b := New(Config{Size: 140 * seg, SegmentSize: seg, Servers: 3})
	for l, run := range []Run{{0, 20}, {20, 40}, {60, 80}} {
		b.Join(Lane(l), l, 10*ms, epoch)
		b.Adopt(Lane(l), 0, run, epoch)
	}
	bring(b, 0, 0, 0, 10, 2*ms, epoch)
	bring(b, 2, 0, 60, 100, 2*ms, epoch)
	now := bring(b, 1, 0, 20, 60, 2*ms, epoch)
	twice := 0
	for _, o := range only(Ask, b.Plan(now)) {
		if o.Lane == 1 && o.Run.First < 20 {
			twice += o.Run.Count
		}
	}
	if twice == 0 || twice > 3 {
		t.Errorf("%d segments are asked for twice, of which each of 3 servers may bring one", twice)
	}
}

// TestSpareOfGhosts: what was cancelled and comes all the same may come twice, as far as half of the time
// before the end allows.
func TestSpareOfGhosts(t *testing.T) {
	const seg = 16 << 10
	b := New(Config{Size: 1000 * seg, SegmentSize: seg, Servers: 1})
	b.Join(1, 0, 100*ms, epoch)
	b.Adopt(1, 0, Run{0, 64}, epoch)
	bring(b, 1, 0, 0, 32, 10*ms, epoch)
	l, all := b.byID[1], int64(1000*seg/50)
	if got := b.spare(1); got != all {
		t.Errorf("%d bytes may come twice, want %d", got, all)
	}
	b.cut(l, l.reqs[0], 33)
	coming := l.ghostsBefore(l.nextID)
	if coming < seg {
		t.Fatalf("%d bytes are expected of what a server may have sent already", coming)
	}
	for within, want := range map[float64]int64{0: all, 0.02: all - int64(b.rate(l)*0.01), 1000: all - coming} {
		if got := b.spare(within); got != want {
			t.Errorf("%v seconds before the end %d bytes may come twice, want %d", within, got, want)
		}
	}
}

// TestOutOfOrder: what has come behind a lost packet is there with that packet, whoever else is asked for it.
func TestOutOfOrder(t *testing.T) {
	const seg = 16 << 10
	for _, aside := range []int{0, 150} {
		b := New(Config{Size: 400 * seg, SegmentSize: seg, Servers: 2, OutOfOrder: func(l Lane) int64 {
			if l == 2 {
				return int64(aside * seg)
			}
			return 0
		}})
		b.Join(1, 0, 10*ms, epoch)
		b.Adopt(1, 0, Run{0, 100}, epoch)
		b.Join(2, 1, 10*ms, epoch)
		b.Adopt(2, 0, Run{100, 300}, epoch)
		bring(b, 1, 0, 0, 100, 2*ms, epoch)
		now := bring(b, 2, 0, 100, 200, 2*ms, epoch)
		first := 400
		for _, o := range only(Ask, b.Plan(now)) {
			first = min(first, o.Run.First)
		}
		if first == 400 || (first < 350) != (aside == 0) {
			t.Errorf("with %d segments behind a lost packet, what lane 2 has from segment %d on is taken over", aside, first)
		}
	}
}

// TestKnownByBytes: a lane that has brought much is known, however little time that took: it may
// fetch what a slow lane is at, instead of waiting for it.
func TestKnownByBytes(t *testing.T) {
	const seg = 16 << 10
	b := New(Config{Size: 68 * seg, SegmentSize: seg, Servers: 2})
	b.Join(1, 0, 100*time.Microsecond, epoch)
	b.Adopt(1, 0, Run{0, 64}, epoch)
	b.Join(2, 1, 100*time.Microsecond, epoch)
	b.Adopt(2, 0, Run{64, 4}, epoch)
	bring(b, 1, 0, 0, 64, 30*time.Microsecond, epoch)
	for came := 1; came < 12000; came += 500 {
		now := epoch.Add(time.Duration(came) * 10 * time.Microsecond)
		b.Received(2, 500, now)
		b.Reached(2, 0, int64(64*seg+came), now)
		if orders := b.Plan(now); len(only(Ask, orders)) > 0 {
			return
		}
	}
	t.Error("the fast lane waits for the slow one")
}

// TestSilenceAfterASwing: how long a lane may say nothing is looked at anew when its rate changes.
func TestSilenceAfterASwing(t *testing.T) {
	const seg = 64 << 10
	b := New(Config{Size: 10000 * seg, SegmentSize: seg, Servers: 1})
	b.Join(1, 0, 100*ms, epoch)
	b.Adopt(1, 0, Run{0, 5000}, epoch)
	now, at := epoch, 0
	for _, phase := range []struct {
		pause time.Duration
		n     int
	}{{6 * ms, 300}, {time.Second, 8}, {6 * ms, 300}} {
		for range phase.n {
			now = bring(b, 1, 0, at, at+1, phase.pause, now)
			at++
			b.Plan(now)
		}
	}
	for quiet := time.Duration(0); quiet < 3*time.Second; quiet += 10 * ms {
		if b.Plan(now.Add(quiet)); b.Silent(1) {
			return
		}
	}
	t.Error("not silent after three seconds")
}

// TestBackWithNothingToDo: what a silent lane was asked for came from elsewhere. When its silence is
// over it is of use again.
func TestBackWithNothingToDo(t *testing.T) {
	const seg = 16 << 10
	slow := true // it is the caller that is behind with lane 2, so nothing is taken from there
	b := New(Config{Size: 2000 * seg, SegmentSize: seg, Servers: 2, Behind: func(l Lane) bool { return slow && l == 2 }})
	b.Join(1, 0, 10*ms, epoch)
	b.Adopt(1, 0, Run{0, 100}, epoch)
	b.Join(2, 1, 10*ms, epoch)
	b.Adopt(2, 0, Run{100, 1900}, epoch)
	now := bring(b, 2, 0, 100, 104, 100*ms, epoch)
	now = bring(b, 1, 0, 0, 99, 2*ms, now)
	b.byID[2].last = now
	for end := now.Add(2 * time.Second); now.Before(end) && !b.Silent(1); now = now.Add(10 * ms) {
		b.Blocked(2, now)
		b.Plan(now)
	}
	if !b.Silent(1) {
		t.Fatal("lane 1 is not silent")
	}
	b.Have(99)
	slow = false
	for end := now.Add(5 * time.Second); now.Before(end); now = now.Add(10 * ms) {
		b.Blocked(2, now)
		for _, o := range only(Ask, b.Plan(now)) {
			if o.Lane == 1 {
				return
			}
		}
	}
	t.Error("lane 1 gets no work any more")
}

// TestUntilFirst: what a lane is asked for with the greeting comes at once, what it is asked for when it has
// nothing to do a round trip later, and what it is asked for besides without a pause.
func TestUntilFirst(t *testing.T) {
	const seg = 16 << 10
	b := New(Config{Size: 400 * seg, SegmentSize: seg, Servers: 1})
	b.Join(1, 0, 600*ms, epoch)
	b.Adopt(1, 0, Run{0, 1}, epoch)
	check := func(when string, now time.Time, want float64) {
		t.Helper()
		b.tick(now)
		if got := b.untilFirst(b.byID[1]); got != want {
			t.Errorf("%s: %v s, want %v", when, got, want)
		}
	}
	check("greeted", epoch, 0)
	now := bring(b, 1, 0, 0, 1, 5*ms, epoch)
	b.Plan(now)
	check("asked when it has nothing to do", now, 0.6)
	check("later", now.Add(400*ms), 0.2)
	now = now.Add(500 * ms)
	b.Received(1, 1000, now)
	b.Reached(1, 1, seg+1000, now)
	check("a byte has come", now, 0)
}

// TestRequestsThatWait: the pool may be in a thousand pieces, and a server takes 1024 requests.
func TestRequestsThatWait(t *testing.T) {
	const seg = 16 << 10
	b := New(Config{Size: 8000 * seg, SegmentSize: seg, Servers: 1})
	for s := 0; s < 8000; s += 2 {
		b.Have(s)
	}
	b.Join(1, 0, 10*ms, epoch)
	b.Adopt(1, 0, Run{1, 1}, epoch)
	now := epoch
	for range 100 {
		now = now.Add(ms)
		b.Received(1, 1<<20, now)
		b.Plan(now)
	}
	if n := len(b.byID[1].reqs); n < 100 || n > mostRequests {
		t.Errorf("%d requests wait", n)
	}
}

// TestLostTrackOfAnOpening: nobody is woken for a lane that was to be opened to a server
// that has none any more.
func TestLostTrackOfAnOpening(t *testing.T) {
	b := New(Config{Size: 1 << 30, SegmentSize: 256 << 10, MinStreams: 2, MaxStreams: 2})
	b.Join(1, 0, 10*ms, epoch)
	if len(only(Open, b.Plan(epoch))) != 1 {
		t.Fatal("no lane to open")
	}
	b.Leave(1, epoch)
	now := epoch.Add(time.Minute)
	b.Plan(now)
	if next := b.Next(now); !next.IsZero() && next.Before(now.Add(time.Second)) {
		t.Errorf("to be called again after %v", next.Sub(now))
	}
}

// TestGhostBehindWhatWillNotCome: what a later cancel reaches is not followed by what an earlier
// one did not.
func TestGhostBehindWhatWillNotCome(t *testing.T) {
	const seg = 16 << 10
	b := New(Config{Size: 1000 * seg, SegmentSize: seg, Servers: 1})
	b.Join(1, 0, 100*ms, epoch)
	b.Adopt(1, 0, Run{0, 64}, epoch)
	l := b.byID[1]
	now := epoch.Add(400 * ms)
	b.tick(now)
	b.cut(l, l.reqs[0], 16)
	if l.ghostsBefore(l.nextID) == 0 {
		t.Fatal("nothing is expected of what a server may have sent already")
	}
	bring(b, 1, 0, 0, 3, time.Second, now) // it is a slow one
	b.cut(l, l.reqs[0], 9)
	if n := b.due(l) - l.owed; n > 0 {
		t.Errorf("%d bytes of cancelled segments are expected", n)
	}
	if err := b.check(); err != nil {
		t.Error(err)
	}
}

// TestGhostThatComes: what is expected of a cancelled request was too little. Whatever comes of it says that more
// will, until something that was asked for later comes.
func TestGhostThatComes(t *testing.T) {
	const seg = 16 << 10
	b := New(Config{Size: 1000 * seg, SegmentSize: seg, Servers: 1})
	b.Join(1, 0, 10*ms, epoch)
	b.Adopt(1, 0, Run{0, 200}, epoch)
	now := bring(b, 1, 0, 0, 20, 30*ms, epoch)
	l := b.byID[1]
	b.cut(l, l.reqs[0], 100)
	now = bring(b, 1, 0, 20, 100, 30*ms, now)
	b.free.take(300, 310)
	b.ask(l, Run{300, 10})
	expect := func(when string, want int64) {
		t.Helper()
		if got := b.before(l, l.reqs[0], 1); got != want+seg {
			t.Errorf("%s: %d bytes come before the end of a segment, want %d and itself", when, got, want)
		}
	}
	expect("cancelled in time", 0)
	for i := range int64(3) {
		now = now.Add(10 * ms)
		b.Received(1, 4096, now)
		b.Reached(1, 0, 100*seg+(i+1)*4096, now)
		expect("it comes", stillComing)
	}
	b.Reached(1, 0, 200*seg-100, now)
	expect("near its end", 100)
	b.Received(1, 8192, now)
	b.Reached(1, 1, 300*seg+8192, now)
	expect("the next request", -8192)
	if err := b.check(); err != nil {
		t.Error(err)
	}
}

// TestGreetedAndSilent: what is asked for in the greeting comes with it. Where it does not, others do not wait
// for a round trip that a full queue has made long.
func TestGreetedAndSilent(t *testing.T) {
	const seg = 16 << 10
	b := New(Config{Size: 200 * seg, SegmentSize: seg, Servers: 2})
	b.Join(1, 0, 10*ms, epoch)
	b.Adopt(1, 0, Run{0, 196}, epoch)
	now := bring(b, 1, 0, 0, 196, 5*ms, epoch)
	b.Join(2, 1, 700*ms, now)
	b.Adopt(2, 0, Run{196, 4}, now)
	for end := now.Add(100 * ms); now.Before(end); now = now.Add(ms) {
		if len(only(Ask, b.Plan(now))) > 0 {
			return
		}
	}
	t.Error("the other lane waits")
}

// TestFeedsLessOftenWhenLate: who is called late, not just once, has a busy machine, and is not woken for
// the next look as soon.
func TestFeedsLessOftenWhenLate(t *testing.T) {
	const seg = 16 << 10
	for late, want := range map[time.Duration]time.Duration{
		0: 0, lateness: 0, lateness + 3*ms: 30 * ms, 40 * ms: mostLookAhead,
	} {
		b := New(Config{Size: 64 * seg, SegmentSize: seg, Servers: 2})
		b.Join(1, 0, ms, epoch)
		b.Adopt(1, 0, Run{0, 64}, epoch)
		b.Join(2, 1, ms, epoch)
		b.Plan(epoch)
		if !b.hungry {
			t.Fatal("the second lane could do with work, and the pool is dry")
		}
		for i, want := range []time.Duration{0, want, want} {
			now := b.again.Add(late)
			b.Plan(now)
			if got := b.again.Sub(now); got != b.interval()+want {
				t.Errorf("%v late, %d times before: the next look is %v later, want %v", late, i, got, b.interval()+want)
			}
		}
	}
}
