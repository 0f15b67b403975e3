package segment

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseRoot(t *testing.T) {
	r := manifestOf(t, pattern(1)).Root()
	for _, s := range []string{r.String(), strings.ToUpper(r.String())} {
		if got, err := ParseRoot(s); err != nil || got != r {
			t.Errorf("ParseRoot(%s) = %s, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "ab", r.String()[1:], r.String() + "0", r.String()[1:] + "g", " " + r.String()[1:], "0x" + r.String()[2:]} {
		if got, err := ParseRoot(s); err == nil || !strings.Contains(err.Error(), "64 hex digits") || got != (Root{}) {
			t.Errorf("ParseRoot(%q) = %s, %v", s, got, err)
		}
	}
}

func TestNewManifest(t *testing.T) {
	for _, size := range []int{0, 1, 16 << 10, 16<<10 + 1, 100_000, 3 << 20} {
		m := manifestOf(t, random(size))
		l := m.Layout()
		if int64(len(m.Values())) != ManifestSize(l) {
			t.Fatalf("%d bytes: %d bytes of values, want %d", size, len(m.Values()), ManifestSize(l))
		}
		again, err := NewManifest(l, m.Root(), bytes.Clone(m.Values()))
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if again.Root() != m.Root() || again.Layout() != l || !bytes.Equal(again.Values(), m.Values()) {
			t.Errorf("%d bytes: the manifest is another one", size)
		}
	}
}

func TestNewManifestRefuses(t *testing.T) {
	m := manifestOf(t, random(100_000))
	one := manifestOf(t, random(1000))
	none := manifestOf(t, nil)
	flip := func(b []byte, at int) []byte {
		b = bytes.Clone(b)
		b[at] ^= 1
		return b
	}
	swapped := bytes.Clone(m.Values())
	copy(swapped, m.Values()[32:64])
	copy(swapped[32:], m.Values()[:32])
	for name, c := range map[string]struct {
		l      Layout
		root   Root
		values []byte
	}{
		"first bit":              {m.Layout(), m.Root(), flip(m.Values(), 0)},
		"last byte":              {m.Layout(), m.Root(), flip(m.Values(), len(m.Values())-1)},
		"swapped":                {m.Layout(), m.Root(), swapped},
		"other root":             {m.Layout(), one.Root(), m.Values()},
		"too short":              {m.Layout(), m.Root(), m.Values()[:len(m.Values())-1]},
		"a value short":          {m.Layout(), m.Root(), m.Values()[:len(m.Values())-32]},
		"a value too many":       {m.Layout(), m.Root(), append(bytes.Clone(m.Values()), make([]byte, 32)...)},
		"none at all":            {m.Layout(), m.Root(), nil},
		"one segment, flipped":   {one.Layout(), one.Root(), flip(one.Values(), 7)},
		"one segment, no value":  {one.Layout(), one.Root(), nil},
		"empty file, wrong root": {none.Layout(), one.Root(), nil},
		"empty file with values": {none.Layout(), none.Root(), none.root[:]},
	} {
		if got, err := NewManifest(c.l, c.root, c.values); !errors.Is(err, ErrManifest) || got != nil {
			t.Errorf("%s: %v, want ErrManifest", name, err)
		}
	}
	if _, err := NewManifest(Layout{100_000, 32 << 10}, m.Root(), m.Values()); err == nil {
		t.Error("a layout of its own making passes")
	}
}

func TestVerify(t *testing.T) {
	for _, size := range []int{1, 1024, 16 << 10, 16<<10 + 1, 99_999, 3_000_000} {
		data := random(size)
		m := manifestOf(t, data)
		l := m.Layout()
		for i := range l.Count() {
			if !m.Verify(i, piece(data, l, i)) {
				t.Fatalf("%d bytes: segment %d does not verify", size, i)
			}
		}
		last := l.Count() - 1
		for name, wrong := range map[string]bool{
			"of number -1":      m.Verify(-1, piece(data, l, 0)),
			"beyond the end":    m.Verify(l.Count(), piece(data, l, last)),
			"a byte short":      m.Verify(last, data[l.Offset(last):len(data)-1]),
			"a byte long":       m.Verify(last, append(bytes.Clone(data[l.Offset(last):]), 0)),
			"nothing":           m.Verify(0, nil),
			"of another number": l.Count() > 1 && m.Verify(1, piece(data, l, 0)),
		} {
			if wrong {
				t.Errorf("%d bytes: a segment %s verifies", size, name)
			}
		}
	}
}

func TestVerifySeesEveryBit(t *testing.T) {
	data := random(50_000)
	m := manifestOf(t, data)
	l := m.Layout()
	rapid.Check(t, func(t *rapid.T) {
		i := rapid.IntRange(0, l.Count()-1).Draw(t, "segment")
		seg := bytes.Clone(piece(data, l, i))
		seg[rapid.IntRange(0, len(seg)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if m.Verify(i, seg) {
			t.Fatal("a segment with a flipped bit verifies")
		}
	})
}

func TestVerifyAllocatesNothing(t *testing.T) {
	data := random(1 << 20)
	m := manifestOf(t, data)
	seg := piece(data, m.Layout(), 1)
	if n := testing.AllocsPerRun(20, func() { m.Verify(1, seg) }); n > 0 {
		t.Errorf("%v allocations for a full segment", n)
	}
}

func FuzzNewManifest(f *testing.F) {
	for _, size := range []int{0, 1, 16 << 10, 40_000, 200_000} {
		m := manifestOf(f, random(size))
		root := m.Root()
		f.Add(m.Layout().Size, m.Layout().SegmentSize, root[:], m.Values())
		f.Add(m.Layout().Size+1, m.Layout().SegmentSize, root[:], m.Values())
	}
	f.Add(int64(-1), int64(0), []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, size, segment int64, root, values []byte) {
		var r Root
		copy(r[:], root)
		m, err := NewManifest(Layout{size, segment}, r, values)
		if err != nil {
			return
		}
		if err := m.Layout().Check(); err != nil {
			t.Fatal(err)
		}
		if int64(len(m.Values())) != ManifestSize(m.Layout()) || foldValues(m.Values()) != r {
			t.Fatal("a manifest that does not fold up to its root is believed")
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for _, seg := range []int{16 << 10, 256 << 10, 4 << 20} {
		b.Run(fmt.Sprintf("%dKiB", seg>>10), func(b *testing.B) {
			data := random(2 * seg)
			l := Layout{Size: int64(len(data)), SegmentSize: int64(seg)}
			var h hasher
			h.write(data[:seg])
			v := h.sum(false).bytes()
			m := &Manifest{layout: l, values: append(v[:], make([]byte, 32)...)}
			b.SetBytes(int64(seg))
			b.ReportAllocs()
			for b.Loop() {
				if !m.Verify(0, data[:seg]) {
					b.Fatal("does not verify")
				}
			}
		})
	}
}
