package client

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"braid/segment"
	"braid/wire"
)

// scanty is a connection whose bytes come in pieces of odd sizes.
type scanty struct {
	net.Conn
	from io.Reader
	size func() int
}

func (*scanty) SetReadDeadline(time.Time) error { return nil }

func (s *scanty) Read(p []byte) (int, error) { return s.from.Read(p[:min(len(p), s.size())]) }

// TestReadInPieces has runs of a file come in messages and reads of any size, before the content is
// known and after it: each segment lands once, whole, whoever verifies it.
func TestReadInPieces(t *testing.T) {
	data := make([]byte, 40<<14+777)
	rand.NewChaCha8([32]byte{}).Read(data)
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		part := newPart(t, dir, data)
		defer part.Discard()
		st, l := newStore(part, nil), part.Manifest().Layout()
		size := rapid.IntRange(1, 300_000)
		sizes := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "reads"), 1))
		most := size.Draw(rt, "largest read")
		run := segment.Run{First: rapid.IntRange(0, l.Count()-1).Draw(rt, "first")}
		run.Count = rapid.IntRange(1, l.Count()-run.First).Draw(rt, "count")

		preface := wire.Preface()
		sent := wire.Append(preface[:], wire.Welcome{Layout: l, Root: part.Manifest().Root(), Name: "f.bin"})
		for at, end := l.Offset(run.First), l.Offset(run.First)+l.RunBytes(run); at < end; {
			n := int(min(end-at, int64(size.Draw(rt, "message")), wire.MaxData))
			sent = append(wire.Append(sent, wire.Data{ID: 1, Offset: at, Len: n}), data[at:at+int64(n)]...)
			at += int64(n)
		}
		in := &scanty{from: bytes.NewReader(sent), size: func() int { return 1 + sizes.IntN(most) }}
		early := rapid.Bool().Draw(rt, "before the content is known")

		var mu sync.Mutex
		landings := map[int]int{}
		note := func(run segment.Run, err error) {
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				rt.Errorf("segments %+v: %v", run, err)
			}
			for i := run.First; i < run.End(); i++ {
				landings[i]++
			}
		}
		emit := func(e event) {
			switch e := e.(type) {
			case landed:
				note(e.run, e.err)
			case heldBack:
				note(keep(st, e.piece.run, e.piece.data))
			}
		}
		keepers := newKeepers()
		var running sync.WaitGroup
		defer running.Wait()
		keepers.start(&running)
		defer keepers.end()
		keepers.readers.Store(int32(rapid.IntRange(1, keepers.cores+1).Draw(rt, "connections")))
		c := newConn(1, &server{}, in, share{}, nil, keepers, emit)
		if !early {
			c.store.Store(st)
		}
		c.expect(l, 1, run)
		if err := c.read(t.Context()); err != io.EOF {
			rt.Fatal(err)
		}
		c.kept.Wait()
		for i := run.First; i < run.End(); i++ {
			if landings[i] != 1 {
				rt.Fatalf("segment %d landed %d times", i, landings[i])
			}
		}
		if len(landings) != run.Count {
			rt.Fatalf("%d segments landed, %d were sent", len(landings), run.Count)
		}
	})
}
