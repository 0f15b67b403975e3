package segment

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"
)

func decode(b []byte) (*Manifest, bitmap, error) {
	return decodeState(bytes.NewReader(b), int64(len(b)))
}

func TestStateRoundTrip(t *testing.T) {
	for _, size := range []int{0, 1, 16 << 10, 16<<10 + 1, 300_001, 3 << 20} {
		m := manifestOf(t, random(size))
		b := encodeState(m)
		for i := range m.Layout().Count() {
			if i%3 == 0 {
				bitmap(b[bitmapOffset(m):]).set(i)
			}
		}
		got, have, err := decode(b)
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if got.Root() != m.Root() || got.Layout() != m.Layout() || !bytes.Equal(got.Values(), m.Values()) {
			t.Errorf("%d bytes: another manifest comes back", size)
		}
		for i := range m.Layout().Count() {
			if have.has(i) != (i%3 == 0) {
				t.Errorf("%d bytes: bit %d is %t", size, i, have.has(i))
			}
		}
	}
}

func TestTornState(t *testing.T) {
	m := manifestOf(t, random(300_001))
	whole := encodeState(m)
	for i := range m.Layout().Count() {
		bitmap(whole[bitmapOffset(m):]).set(i)
	}
	for n := range whole {
		_, have, err := decode(whole[:n])
		if int64(n) < bitmapOffset(m) {
			if err == nil {
				t.Fatalf("the first %d of %d bytes pass for a state", n, len(whole))
			}
			continue
		}
		if err != nil {
			t.Fatalf("cut in the bitmap, at %d: %v", n, err)
		}
		for i := range m.Layout().Count() {
			if want := i/8 < n-int(bitmapOffset(m)); have.has(i) != want {
				t.Fatalf("cut at %d: bit %d is %t", n, i, have.has(i))
			}
		}
	}
}

func TestStateSeesEveryByte(t *testing.T) {
	m := manifestOf(t, random(100_000))
	whole := encodeState(m)
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 0x10
		_, _, err := decode(b)
		checked := i >= stateStart && int64(i) < bitmapOffset(m)
		if checked != (err != nil) {
			t.Errorf("byte %d flipped: %v", i, err)
		}
	}
}

// A checksum can be right and the tree wrong: nothing is believed that does not fold.
func TestStateThatDoesNotFold(t *testing.T) {
	b := encodeState(manifestOf(t, random(100_000)))
	b[24] ^= 1
	sum := stateChecksum(b[:stateValues], b[stateValues:stateValues+7*valueSize])
	copy(b[stateSum:], sum[:])
	if _, _, err := decode(b); err == nil {
		t.Error("it is believed")
	}
}

// hugeState claims a file of 16 TiB, whose values would take 128 MiB.
func hugeState(t testing.TB) []byte {
	b := encodeState(manifestOf(t, nil))
	binary.BigEndian.PutUint64(b[16:], maxSize)
	return b
}

func TestStateAllocatesNoMoreThanItHolds(t *testing.T) {
	b := hugeState(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err := decode(b)
	runtime.ReadMemStats(&after)
	if err == nil {
		t.Error("it passes")
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes allocated for a state of %d", n, len(b))
	}
}

func FuzzDecodeState(f *testing.F) {
	for _, size := range []int{0, 1, 16 << 10, 50_000, 300_001} {
		b := encodeState(manifestOf(f, random(size)))
		f.Add(b)
		f.Add(b[:len(b)-1])
		f.Add(b[:len(b)/2])
	}
	f.Add([]byte{})
	huge := hugeState(f)
	f.Add(bytes.Clone(huge))
	binary.BigEndian.PutUint64(huge[16:], 1<<63)
	f.Add(huge)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, have, err := decode(b)
		if err != nil {
			return
		}
		if _, err := NewManifest(m.Layout(), m.Root(), m.Values()); err != nil {
			t.Fatal(err)
		}
		if len(have) != (m.Layout().Count()+7)/8 {
			t.Fatalf("a bitmap of %d bytes for %d segments", len(have), m.Layout().Count())
		}
		if again := encodeState(m)[stateStart:bitmapOffset(m)]; !bytes.Equal(again, b[stateStart:bitmapOffset(m)]) {
			t.Fatal("the state written again is another one")
		}
	})
}
