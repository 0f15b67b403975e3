package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math"
	"reflect"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"braid/segment"
)

func drawText(t *rapid.T, label string, low, high int) string {
	return rapid.StringN(low, -1, high).Draw(t, label)
}

func drawToken(t *rapid.T) [8]byte {
	return [8]byte(rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "token"))
}

func drawHello(t *rapid.T) Hello {
	parts := rapid.Uint32Range(0, MaxParts).Draw(t, "parts")
	if parts == 0 {
		return Hello{}
	}
	return Hello{Parts: parts, Part: rapid.Uint32Range(0, parts-1).Draw(t, "part"), Max: rapid.Uint32().Draw(t, "max")}
}

func drawWelcome(t *rapid.T) Welcome {
	layout := segment.LayoutOf(rapid.Int64Range(0, maxOffset).Draw(t, "size"))
	return Welcome{
		Layout:   layout,
		Root:     segment.Root(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "root")),
		Manifest: segment.ManifestSize(layout) <= InlineManifest && rapid.Bool().Draw(t, "manifest"),
		Hardy:    rapid.Bool().Draw(t, "hardy"),
		Name:     drawText(t, "name", 1, maxName),
	}
}

// drawLater draws a message that side may send after its greeting.
func drawLater(t *rapid.T, side Side) heard {
	if side == Client {
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			return heard{m: GetManifest{}}
		case 1:
			first := rapid.IntRange(0, maxSegments-1).Draw(t, "first")
			return heard{m: Request{ID: rapid.Uint32Range(1, math.MaxUint32).Draw(t, "id"),
				Run: segment.Run{First: first, Count: rapid.IntRange(1, maxSegments-first).Draw(t, "count")}}}
		case 2:
			return heard{m: Cancel{ID: rapid.Uint32().Draw(t, "id"), Keep: rapid.IntRange(0, math.MaxInt32).Draw(t, "keep")}}
		}
		return heard{m: Ping{Token: drawToken(t)}}
	}
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		n := rapid.IntRange(1, 40).Draw(t, "values")
		return heard{m: Manifest{
			Offset: 32 * rapid.Int64Range(0, int64(maxSegments-n)).Draw(t, "offset"),
			Values: bytes.Repeat(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "value"), n),
		}}
	case 1:
		body := rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "body")
		return heard{body: body, m: Data{ID: rapid.Uint32().Draw(t, "id"),
			Offset: rapid.Int64Range(0, maxOffset-int64(len(body))).Draw(t, "offset"), Len: len(body)}}
	case 2:
		return heard{m: Refuse{Code: Code(rapid.Byte().Draw(t, "code")), Text: drawText(t, "text", 0, maxText)}}
	}
	return heard{m: Pong{Token: drawToken(t)}}
}

// What one side may say, the other hears, however the stream is cut into reads.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		side := Side(rapid.Bool().Draw(t, "side"))
		said := []heard{{m: drawHello(t)}}
		if side == Server {
			said[0].m = drawWelcome(t)
		}
		for range rapid.IntRange(0, 5).Draw(t, "messages") {
			said = append(said, drawLater(t, side))
		}
		stream := encode(said)
		var r io.Reader = bytes.NewReader(stream)
		if rapid.Bool().Draw(t, "byte by byte") {
			r = iotest.OneByteReader(r)
		}
		got, err := listen(NewReader(r, side))
		if err != nil || !reflect.DeepEqual(got, said) {
			t.Fatalf("got %+v, %v\nwant %+v", got, err, said)
		}
	})
}

// FuzzReader holds a reader of either side against any bytes: it must not panic,
// must hold no more memory than the largest body needs, and what it understands
// must be encoded as it was read.
func FuzzReader(f *testing.F) {
	for _, v := range vectors(f) {
		if v.Place == "preface" || v.Pad > 4096 {
			continue
		}
		side, b := v.side(f), v.stream(f)
		if v.Place == "later" {
			b = append(unhex(f, greetings[side]), b...)
		}
		f.Add(bool(side), b)
	}
	f.Fuzz(func(t *testing.T, server bool, stream []byte) {
		side := Side(server)
		r := NewReader(bytes.NewReader(stream), side)
		got, err := listen(r)
		if most := manifestHeaderLen + MaxManifest; cap(r.body) > most {
			t.Fatalf("a buffer of %d bytes", cap(r.body))
		}
		again := encode(got)
		if err == nil && len(again) != len(stream) || len(again) > len(stream) {
			t.Fatalf("%d bytes make %d: %v", len(stream), len(again), err)
		}
		if read := clampKeeps(got, stream[:len(again)]); !bytes.Equal(again, read) {
			t.Fatalf("read\n%s\nwrote\n%s", hex.EncodeToString(read), hex.EncodeToString(again))
		}
	})
}

// clampKeeps is stream with every CANCEL's keep as it is understood: what no file
// has segments for is read as math.MaxInt32.
func clampKeeps(all []heard, stream []byte) []byte {
	stream = bytes.Clone(stream)
	at := 0
	for _, h := range all {
		if _, ok := h.m.(Cancel); ok && binary.BigEndian.Uint64(stream[at+8:]) > math.MaxInt32 {
			copy(stream[at+8:], "\x00\x00\x00\x00\x7f\xff\xff\xff")
		}
		at += len(Append(nil, h.m)) + len(h.body)
	}
	return stream
}
