package report

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// What is put in comes out, however long the run is and however unevenly it is sampled.
func TestSpeedsKeepEveryByte(t *testing.T) {
	for _, length := range []time.Duration{50 * time.Millisecond, 10 * time.Second, time.Hour, 40 * 24 * time.Hour} {
		random := rand.New(rand.NewPCG(1, uint64(length)))
		h := &History{}
		p := Progress{Servers: servers(3)}
		for p.Elapsed < length {
			p.Elapsed += time.Duration(random.Int64N(int64(length)/2000 + 2))
			for i := range p.Servers {
				p.Servers[i].Arrived += random.Int64N(1000)
			}
			h.Sample(p)
		}
		s := &h.speeds
		if s.steps() > mostSteps || length > time.Minute && s.steps() < mostSteps/2-1 {
			t.Errorf("%v: %d steps", length, s.steps())
		}
		for i, server := range p.Servers {
			sum := 0.0
			for step := range s.steps() {
				begin, end := s.span(step)
				if step < s.steps()-1 {
					sum += s.of(i, step) * (end - begin).Seconds()
				} else {
					sum += float64(s.bytes[i][step]) // of a step that may be too short for a speed
				}
			}
			if math.Abs(sum-float64(server.Arrived)) > 1e-3*float64(server.Arrived)+1 {
				t.Errorf("%v: server %d: %.0f bytes of %d", length, i+1, sum, server.Arrived)
			}
		}
	}
}

func TestSpeedsOverTime(t *testing.T) {
	h := &History{}
	p := Progress{Servers: servers(1)}
	for range 100 { // 1 MB/s for 5 s, then nothing for 5 s
		p.Elapsed += 100 * time.Millisecond
		if p.Elapsed <= 5*time.Second {
			p.Servers[0].Arrived += 100_000
		}
		h.Sample(p)
	}
	h.Sample(p) // no time has passed
	for i := range h.speeds.steps() {
		want := 0.0
		if _, end := h.speeds.span(i); end <= 5*time.Second {
			want = 1e6
		}
		if got := h.speeds.of(0, i); math.Abs(got-want) > 1 {
			t.Errorf("step %d: %f bytes/s, want %f", i, got, want)
		}
	}
	if n := h.speeds.steps(); n != 50 {
		t.Errorf("%d steps", n)
	}
}

// Nothing grows with the length of the run, the size of the file or the number of events.
func TestHistoryIsBounded(t *testing.T) {
	const size = 1 << 42
	h := &History{}
	p := Progress{Size: size, Servers: servers(50)}
	text := strings.Repeat("x", eventLimit+100)
	for i := range 5_000 {
		p.Elapsed += time.Hour
		p.Servers[i%50].Arrived += 1 << 20
		h.Sample(p)
		h.Event(p.Elapsed, text)
		h.Delivered(1+i%50, int64(i)*(size/5_000), size/5_000, size)
	}
	for i, b := range h.speeds.bytes {
		if cap(b) > 2*mostSteps {
			t.Fatalf("%d steps are kept of server %d", cap(b), i+1)
		}
	}
	kept, gap, left := h.events.all()
	if len(kept) != firstEvents+latestEvents || gap != firstEvents || left != 5_000-len(kept) || len(kept[0].text) > eventLimit {
		t.Errorf("%d events are kept, %d left out after %d, %d bytes each", len(kept), left, gap, len(kept[0].text))
	}
	if len(h.parts.all) > mostParts {
		t.Errorf("a map of %d parts", len(h.parts.all))
	}
	var b bytes.Buffer
	if err := HTML(&b, h, Summary{Progress: p}); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 4<<20 {
		t.Errorf("a page of %d bytes", b.Len())
	}
}

func TestEventsInOrder(t *testing.T) {
	for _, n := range []int{0, 1, firstEvents, firstEvents + 1, firstEvents + latestEvents, firstEvents + latestEvents + 1, 1777} {
		var e eventLog
		for i := range n {
			e.add(moment{time.Duration(i), fmt.Sprint(i)})
		}
		kept, gap, left := e.all()
		if len(kept)+left != n {
			t.Fatalf("%d events: %d kept, %d left out", n, len(kept), left)
		}
		for i, m := range kept {
			want := i
			if left > 0 && i >= gap {
				want += left
			}
			if m.text != fmt.Sprint(want) {
				t.Fatalf("%d events: number %d is %s, want %d", n, i, m.text, want)
			}
		}
	}
}

func TestPartsOfTheFile(t *testing.T) {
	const segment = 16 << 10
	h := &History{}
	size := int64(4096*segment - 5) // one segment a part
	h.Delivered(1, 0, segment, size)
	h.Delivered(2, segment, 2*segment, size)
	h.Delivered(0, 4095*segment, segment-5, size)
	if got, want := h.parts.runs(), []run{{1, 0, 1}, {2, 1, 2}, {0, 4095, 1}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, bad := range [][3]int64{{-1, 1, size}, {0, size + 1, size}, {size, 1, size}, {0, 0, size}, {0, -1, size}, {0, 1, 0}, {math.MaxInt64, math.MaxInt64, size}} {
		h.Delivered(3, bad[0], bad[1], bad[2])
	}
	if got := h.parts.runs(); len(got) != 3 {
		t.Errorf("nonsense was drawn: %v", got)
	}
	h.Delivered(4, 0, 10, 100) // another file
	if got, want := h.parts.runs(), []run{{4, 0, 10}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	h.Forget()
	if got := h.parts.runs(); got != nil {
		t.Errorf("got %v", got)
	}
}

// A part that several have delivered goes to the one that delivered most of it,
// where that is more than half.
func TestPartGoesToTheMajority(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		p := part{server: nobody}
		bytes := map[int32]int64{}
		var sum int64
		for range 20 {
			server, n := int32(random.IntN(3)), 1+random.Int64N(100)
			bytes[server], sum = bytes[server]+n, sum+n
			p.vote(server, n)
		}
		for server, n := range bytes {
			if 2*n > sum && p.server != server {
				t.Fatalf("%v: it went to %d", bytes, p.server)
			}
		}
	}
}

// A nil History keeps nothing: its page is that of one that was told nothing.
func TestNilHistory(t *testing.T) {
	var h *History
	h.Sample(sampleProgress)
	h.Event(1, "x")
	h.Delivered(1, 0, 1, 1)
	h.Forget()
	var got, want bytes.Buffer
	if err := HTML(&got, h, Summary{Progress: sampleProgress}); err != nil {
		t.Fatal(err)
	}
	if err := HTML(&want, &History{}, Summary{Progress: sampleProgress}); err != nil {
		t.Fatal(err)
	}
	if got.String() != want.String() || got.Len() == 0 {
		t.Errorf("got\n%s\nwant\n%s", &got, &want)
	}
}

func TestTicks(t *testing.T) {
	for x, want := range map[float64]float64{1: 1, 1.1: 2, 2.1e6: 5e6, 6: 10, 0.03: 0.05, 9.5e9: 1e10} {
		if got := niceNumber(x); math.Abs(got-want) > want*1e-9 {
			t.Errorf("niceNumber(%v) = %v, want %v", x, got, want)
		}
	}
	for d, want := range map[time.Duration]time.Duration{
		0: 100 * time.Millisecond, 3 * time.Second: 5 * time.Second, 59 * time.Second: time.Minute, 25 * time.Hour: 48 * time.Hour,
	} {
		if got := niceTime(d); got != want {
			t.Errorf("niceTime(%v) = %v, want %v", d, got, want)
		}
	}
}
