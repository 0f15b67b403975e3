package segment

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestLayoutOf(t *testing.T) {
	for _, c := range []struct {
		size, segment int64
		count         int
	}{
		{0, 16 << 10, 0},
		{1, 16 << 10, 1},
		{16 << 10, 16 << 10, 1},
		{16<<10 + 1, 16 << 10, 2},
		{64 << 20, 16 << 10, 4096},
		{64<<20 + 1, 32 << 10, 2049},
		{1 << 30, 256 << 10, 4096},
		{16 << 30, 4 << 20, 4096},
		{16<<30 + 1, 4 << 20, 4097},
		{1 << 44, 4 << 20, 1 << 22},
	} {
		l := LayoutOf(c.size)
		if l.Size != c.size || l.SegmentSize != c.segment || l.Count() != c.count {
			t.Errorf("LayoutOf(%d) = %+v, %d segments; want segments of %d, %d of them", c.size, l, l.Count(), c.segment, c.count)
		}
		if err := l.Check(); err != nil {
			t.Errorf("LayoutOf(%d) does not pass Check: %v", c.size, err)
		}
	}
}

func TestLayoutCheckRefuses(t *testing.T) {
	for _, l := range []Layout{
		{-1, 16 << 10},
		{math.MinInt64, 16 << 10},
		{1<<44 + 1, 4 << 20},
		{math.MaxInt64, 4 << 20},
		{100, 0},
		{100, -16 << 10},
		{100, 32 << 10},
		{1 << 30, 16 << 10},
		{1 << 30, 256<<10 + 1},
	} {
		if l.Check() == nil {
			t.Errorf("%+v passes", l)
		}
	}
}

// Whole is the run of exactly those segments that end within the bytes.
func TestWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := someLayout(t)
		if l.Size == 0 {
			return
		}
		first := rapid.IntRange(0, l.Count()-1).Draw(t, "first")
		n := rapid.Int64Range(0, min(l.Size-l.Offset(first), 5*l.SegmentSize)).Draw(t, "n")
		run := l.Whole(first, int(n))
		if run.First != first || l.RunBytes(run) > n {
			t.Fatalf("%+v of %d bytes, in %d", run, l.RunBytes(run), n)
		}
		if run.End() < l.Count() && l.RunBytes(Run{first, run.Count + 1}) <= n {
			t.Fatalf("%+v, though %d bytes hold one more", run, n)
		}
	})
}

// someLayout draws layouts of all magnitudes, ends of segments among them.
func someLayout(t *rapid.T) Layout {
	size := rapid.Int64Range(0, 1<<rapid.IntRange(0, 44).Draw(t, "bits")).Draw(t, "size")
	if rapid.Bool().Draw(t, "whole segments") {
		size -= size % LayoutOf(size).SegmentSize
	}
	return LayoutOf(size)
}

func TestSegmentsTileTheFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := someLayout(t)
		n := l.Count()
		if got := l.RunBytes(Run{0, n}); got != l.Size {
			t.Fatalf("all %d segments of %+v have %d bytes", n, l, got)
		}
		if n == 0 {
			return
		}
		if last := int64(l.Len(n - 1)); last < 1 || last > l.SegmentSize || l.Offset(n-1)+last != l.Size {
			t.Fatalf("the last segment of %+v has %d bytes at %d", l, last, l.Offset(n-1))
		}
		first := rapid.IntRange(0, n-1).Draw(t, "first")
		r := Run{first, rapid.IntRange(0, min(n-first, 1000)).Draw(t, "count")}
		var sum int64
		for i := r.First; i < r.End(); i++ {
			sum += int64(l.Len(i))
		}
		if got := l.RunBytes(r); got != sum {
			t.Fatalf("RunBytes(%+v) of %+v = %d, its segments have %d", r, l, got, sum)
		}
	})
}

func TestShare(t *testing.T) {
	const seg = 16 << 10
	ten := LayoutOf(10*seg - 5)
	for _, c := range []struct {
		l           Layout
		part, parts int
		limit       int64
		want        Run
	}{
		{ten, 0, 4, math.MaxInt64, Run{0, 2}},
		{ten, 1, 4, math.MaxInt64, Run{2, 3}},
		{ten, 3, 4, math.MaxInt64, Run{7, 3}},
		{ten, 1, 4, seg, Run{2, 1}},
		{ten, 1, 4, seg + 1, Run{2, 2}},
		{ten, 1, 4, 0, Run{2, 1}},
		{ten, 1, 4, -1, Run{2, 1}},
		{ten, 0, 20, seg, Run{0, 0}},
		{ten, 1, 20, seg, Run{0, 1}},
		{LayoutOf(0), 0, 1, seg, Run{}},
		{ten, 4, 4, seg, Run{}},
		{ten, -1, 4, seg, Run{}},
		{ten, 0, 0, seg, Run{}},
		{ten, 0, -1, seg, Run{}},
		{ten, math.MaxInt - 1, math.MaxInt, seg, Run{9, 1}},
	} {
		if got := Share(c.l, c.part, c.parts, c.limit); got != c.want {
			t.Errorf("Share(%d segments, %d of %d, %d) = %+v, want %+v", c.l.Count(), c.part, c.parts, c.limit, got, c.want)
		}
	}
}

func TestSharesTileTheFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := someLayout(t)
		parts := rapid.IntRange(1, 300).Draw(t, "parts")
		limit := rapid.Int64().Draw(t, "limit")
		next := 0
		for k := range parts {
			whole := Share(l, k, parts, math.MaxInt64)
			if whole.First != next || whole.Count < 0 {
				t.Fatalf("part %d of %d is %+v, the one before ended at %d", k, parts, whole, next)
			}
			next = whole.End()
			some := Share(l, k, parts, limit)
			if some.First != whole.First || some.Count > whole.Count || (some.Count == 0) != (whole.Count == 0) {
				t.Fatalf("the beginning of %+v is %+v", whole, some)
			}
			if some.Count > 1 && int64(some.Count-1)*l.SegmentSize >= limit {
				t.Fatalf("%+v exceeds the limit of %d bytes", some, limit)
			}
		}
		if next != l.Count() {
			t.Fatalf("the parts end at %d of %d", next, l.Count())
		}
	})
}

func TestShareOfAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := someLayout(t)
		r := Share(l, rapid.Int().Draw(t, "part"), rapid.Int().Draw(t, "parts"), rapid.Int64().Draw(t, "limit"))
		if r.First < 0 || r.Count < 0 || r.End() > l.Count() {
			t.Fatalf("%+v lies outside of %d segments", r, l.Count())
		}
	})
}
