package segment

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"

	"lukechampine.com/blake3"
	"pgregory.net/rapid"
)

// What b3sum 1.x prints for the input of the official test vectors.
var b3sums = []struct {
	size int
	sum  string
}{
	{0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"},
	{1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"},
	{1023, "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11"},
	{1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"},
	{1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"},
	{16384, "f875d6646de28985646f34ee13be9a576fd515f76b5b0a26bb324735041ddde4"},
	{16385, "1dabe216be2578830263b049de1639f39f05a4da616b9b78c7a5e4e41662fd1f"},
	{65537, "7c99f9840a73dfcb6e5bfe4ff6d1558acab7e015640790c26411818bdbe17eca"},
	{1048576, "74cb441fd087764ca9c3694da742ebe30cbeb3060a17009ca81825c7a8d10343"},
	{5000000, "1ab09ef1af116159d8d394fc5a13c25842753b617048329dc8874051d1b9e171"},
}

func TestRootIsWhatB3sumPrints(t *testing.T) {
	for _, c := range b3sums {
		if got := manifestOf(t, pattern(c.size)).Root().String(); got != c.sum {
			t.Errorf("%d bytes: %s, b3sum prints %s", c.size, got, c.sum)
		}
	}
}

// random returns n bytes that depend on nothing but n.
func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}

func TestRootIsBLAKE3(t *testing.T) {
	const k = 1 << 10
	for _, n := range []int{
		0, 1, 63, 64, 65, k - 1, k, k + 1, 2*k - 1, 2 * k, 2*k + 1, 7*k + 5, 8 * k, 8*k + 1, 15 * k, 15*k + 1,
		16*k - 1, 16 * k, 16*k + 1, 17 * k, 32*k - 1, 32 * k, 32*k + 1, 48 * k, 48*k + 1, 100*k + 7,
		255 * k, 256*k - 1, 256 * k, 256*k + 1, 4096*k + 1,
	} {
		data := random(n)
		if got, want := manifestOf(t, data).Root(), Root(blake3.Sum256(data)); got != want {
			t.Errorf("%d bytes: %s, want %s", n, got, want)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		data := random(rapid.IntRange(0, 600*k).Draw(rt, "size"))
		if got, want := manifestOf(t, data).Root(), Root(blake3.Sum256(data)); got != want {
			rt.Fatalf("%d bytes: %s, want %s", len(data), got, want)
		}
	})
}

// The segment sizes of files that are too large for a test.
func TestRootOfLargeSegments(t *testing.T) {
	data := random(9<<20 + 4321)
	want := Root(blake3.Sum256(data))
	for seg := int64(16 << 10); seg <= 16<<20; seg *= 2 {
		l := Layout{Size: int64(len(data)), SegmentSize: seg}
		values := make([]byte, ManifestSize(l))
		err := scan(context.Background(), bytes.NewReader(data), l, nil, func(i int, v value, err error) error {
			b := v.bytes()
			copy(values[i*valueSize:], b[:])
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := foldValues(values); got != want {
			t.Errorf("segments of %d bytes: %s, want %s", seg, got, want)
		}
		m := &Manifest{layout: l, root: want, values: values}
		for i := range l.Count() {
			if !m.Verify(i, piece(data, l, i)) {
				t.Errorf("segments of %d bytes: number %d does not verify", seg, i)
			}
		}
	}
}
