package client

import (
	"bytes"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"braid/balance"
	"braid/report"
	"braid/segment"
)

// TestReadBackBesideTheDownload has nothing that is claimed be asked for before it has been read, and
// then only what does not verify. The download does not end before all is read.
func TestReadBackBesideTheDownload(t *testing.T) {
	const claimed, damaged = 10, 3
	now := time.Now()
	var stderr bytes.Buffer
	screen := report.NewScreen(io.Discard, report.NewLive(&stderr, report.Terminal{}, false))
	c := goingOn(t, claimed, damaged)
	d := &download{events: make(chan event, 1), tell: screen.Events(), content: c, decided: true}
	layout, b := c.layout, c.balancer
	d.claim(c)
	b.Join(1, 0, time.Millisecond, now)

	if got, want := asked(b.Plan(now)), from(claimed, layout.Count()); !slices.Equal(got, want) {
		t.Errorf("asked for %v, want %v", got, want)
	}
	for i := claimed; i < layout.Count(); i++ {
		b.Have(i)
	}
	if d.done() || !d.onlyReads() || d.resumed > 0 {
		t.Errorf("before anything was read: done %t, only reads %t, %d bytes found", d.done(), d.onlyReads(), d.resumed)
	}
	d.answered = now.Add(-time.Hour)
	for _, later := range []time.Duration{0, diskQuiet, time.Hour} {
		if err := d.verdict(now.Add(later)); err != nil {
			t.Errorf("while it reads, servers are missed: %v", err)
		}
	}

	d.tasks.Go(func() { d.readBack(t.Context(), c) })
	for range claimed {
		if d.done() {
			t.Fatal("done before all is read")
		}
		if err := d.handle(t.Context(), <-d.events); err != nil {
			t.Fatal(err)
		}
	}
	d.tasks.Wait()
	if want := layout.RunBytes(segment.Run{First: 0, Count: claimed - 1}); d.resumed != want || c.part.HaveBytes() != want {
		t.Errorf("%d bytes found, %d had, want %d", d.resumed, c.part.HaveBytes(), want)
	}
	if got := asked(b.Plan(now)); !slices.Equal(got, []int{damaged}) {
		t.Errorf("asked for %v, want %d", got, damaged)
	}
	if d.done() || d.onlyReads() {
		t.Error("done without the damaged segment")
	}
	b.Have(damaged)
	if !d.done() {
		t.Error("all is there, and it does not end")
	}
	screen.Close(t.Context())
	const want = "all that was missing of f.bin has come; what was there before is still being read and verified\n" +
		"resumed: 147456 of 327680 bytes of f.bin are there and verified\n"
	if stderr.String() != want {
		t.Errorf("told %q, want %q", stderr.String(), want)
	}
}

// goingOn is a content of 20 segments with a part file of an earlier run: so many are claimed, of which
// one does not verify.
func goingOn(t *testing.T, claimed, damaged int) *content {
	t.Helper()
	data := make([]byte, 320<<10)
	rand.NewChaCha8([32]byte{}).Read(data)
	dir := t.TempDir()
	part := newPart(t, dir, data)
	m := part.Manifest()
	for i := range claimed {
		b := bytes.Clone(data[m.Layout().Offset(i):][:m.Layout().Len(i)])
		if i == damaged {
			b[7] ^= 1
		}
		if err := part.Write(segment.Run{First: i, Count: 1}, b); err != nil {
			t.Fatal(err)
		}
		part.Mark(segment.Run{First: i, Count: 1})
	}
	if err := part.Close(); err != nil {
		t.Fatal(err)
	}
	part, err := segment.Resume(t.Context(), dir, "f.bin")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { part.Discard() })
	return &content{
		layout: m.Layout(), name: "f.bin", part: part, store: newStore(part, nil), resumed: true,
		balancer: balance.New(balance.Config{Size: m.Layout().Size, SegmentSize: m.Layout().SegmentSize}),
	}
}

// asked is the segments that orders ask for, in ascending order.
func asked(orders []balance.Order) (segments []int) {
	for _, o := range orders {
		if o.Kind == balance.Ask {
			segments = append(segments, from(o.Run.First, o.Run.End())...)
		}
	}
	slices.Sort(segments)
	return segments
}

// from lists the numbers of [first, end).
func from(first, end int) (list []int) {
	for i := first; i < end; i++ {
		list = append(list, i)
	}
	return list
}

// TestTimeLeftWhileReading goes by the slower of the servers and the disk.
func TestTimeLeftWhileReading(t *testing.T) {
	same := func(x, y time.Duration) bool {
		return max(x, 0).Round(time.Millisecond) == max(y, 0) && x < 0 == (y < 0)
	}
	for _, test := range []struct {
		name              string
		fetched, read     int64 // bytes a second, of 400 kB each
		want, onlyReading time.Duration
	}{
		{"slow disk", 100_000, 20_000, 18 * time.Second, 18 * time.Second},
		{"slow servers", 50_000, 100_000, 6 * time.Second, 2 * time.Second},
		{"disk stands still", 100_000, 0, -1, -1},
		{"servers stand still", 0, 100_000, -1, 2 * time.Second},
	} {
		c := &content{layout: segment.LayoutOf(800_000), unread: 400_000}
		c.balancer = balance.New(balance.Config{Size: 800_000, SegmentSize: c.layout.SegmentSize})
		d := &download{content: c}
		d.left(0)
		for second := range 2 {
			d.kept += test.fetched
			d.resumed, c.unread = d.resumed+test.read, c.unread-test.read
			got := d.left(time.Duration(second+1) * time.Second)
			if second == 1 && !same(got, test.want) {
				t.Errorf("%s: %v left, want %v", test.name, got, test.want)
			}
		}
		for i := range c.layout.Count() {
			c.balancer.Have(i)
		}
		if got := d.left(2 * time.Second); !same(got, test.onlyReading) {
			t.Errorf("%s, all has come: %v left, want %v", test.name, got, test.onlyReading)
		}
	}
}
