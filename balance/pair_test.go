package balance

import (
	"testing"
	"time"
)

// startOf is a server's start: two lanes with a round trip of rtt, the second of them for the start alone. What
// is out of order on any lane is told by aside.
func startOf(segments int64, rtt time.Duration, most int, aside *int64) *Balancer {
	const seg = 64 << 10
	b := New(Config{Size: segments * seg, SegmentSize: seg, Servers: 1, MaxStreams: most,
		OutOfOrder: func(Lane) int64 { return *aside }})
	b.Join(1, 0, rtt, epoch)
	b.Adopt(1, 0, Run{0, 4}, epoch)
	b.Join(2, 0, rtt, epoch)
	b.Brief(2)
	b.Adopt(2, 0, Run{40, 4}, epoch)
	return b
}

// TestPair: a server keeps the lane for its start if it is far and there is much to do, or if it loses packets.
func TestPair(t *testing.T) {
	for _, tt := range []struct {
		name     string
		segments int64
		rtt      time.Duration
		most     int
		aside    int64
		want     int
	}{
		{"far", 10_000, 120 * ms, 16, 0, 2},
		{"not so far", 10_000, 60 * ms, 16, 0, 1},
		{"not so far, a packet lost", 10_000, 60 * ms, 16, 200 << 10, 2},
		{"near, a packet lost", 10_000, 5 * ms, 16, 200 << 10, 1},
		{"far, one lane allowed", 10_000, 120 * ms, 1, 0, 1},
		{"far, little to do", 200, 120 * ms, 16, 0, 1},
		{"far, soon over", 300, 120 * ms, 16, 0, 1},
		{"far, little to do, a packet lost", 200, 120 * ms, 16, 200 << 10, 2},
		{"far, hardly anything to do, a packet lost", 60, 120 * ms, 16, 200 << 10, 1},
	} {
		aside := tt.aside
		b := startOf(tt.segments, tt.rtt, tt.most, &aside)
		// 15 MB/s on the first lane, so that the time left is known.
		for at := tt.rtt; at <= tt.rtt+40*ms; at += 10 * ms {
			b.Received(1, 150_000, epoch.Add(at))
		}
		b.Plan(epoch.Add(tt.rtt + 40*ms))
		if got := b.servers[0].active(); got != tt.want {
			t.Errorf("%s: %d lanes, want %d", tt.name, got, tt.want)
		}
	}
}

// TestPairWindow: the second lane to a far server owes no more than pairWindow until packets are lost, the first
// lane has a full window or is gone.
func TestPairWindow(t *testing.T) {
	const rtt = 120 * ms
	for _, tt := range []struct {
		name  string
		then  func(b *Balancer, aside *int64, now time.Time)
		bound bool
	}{
		{"nothing", func(*Balancer, *int64, time.Time) {}, true},
		{"a packet lost", func(_ *Balancer, aside *int64, _ time.Time) { *aside = 200 << 10 }, false},
		{"the first gone", func(b *Balancer, _ *int64, now time.Time) { b.Leave(1, now) }, false},
		{"the first full", func(b *Balancer, _ *int64, now time.Time) {
			b.Received(1, 10_000_000, now.Add(ms))
		}, false},
	} {
		var aside int64
		b := startOf(100_000, rtt, 16, &aside)
		now := epoch.Add(rtt)
		for range 100 { // 10 MB/s each, which is 1.2 MB under way
			now = now.Add(10 * ms)
			b.Received(1, 100_000, now)
			b.Received(2, 100_000, now)
			b.Plan(now)
		}
		tt.then(b, &aside, now)
		now = now.Add(20 * ms)
		b.Received(2, 100_000, now)
		b.Plan(now)
		if owed := b.byID[2].owed; (owed <= pairWindow+b.cfg.SegmentSize) != tt.bound {
			t.Errorf("%s: the second lane owes %d bytes; want it bounded: %v", tt.name, owed, tt.bound)
		}
	}
}
