package client_test

import (
	"fmt"
	"testing"
	"time"

	"braid/client"
	"braid/server"
)

func TestLimit(t *testing.T) {
	for _, limit := range []int64{300 * kB, 20 * kB} {
		inBubble := func(t *testing.T) {
			inWorld(t, func(w *world) {
				n := int(limit * 10)
				data := content(n, 1)
				w.three(data)
				r := w.download(3, func(c *client.Config) { c.Limit = limit }).complete("f.bin", data).told("stalled", 0).told("lost", 0)
				if took := r.took.Seconds(); took < 9.5 || took > 10.8 {
					t.Errorf("10 s worth of data took %.2f s", took)
				}
				for _, b := range r.blocks() {
					if most := float64(limit)*b.Elapsed + 64<<10; b.Type == "progress" && float64(b.Bytes) > most {
						t.Errorf("%d bytes after %.1f s, want at most %.0f", b.Bytes, b.Elapsed, most)
					}
				}
			})
		}
		t.Run(fmt.Sprint(limit), inBubble)
	}
}

func TestStreams(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		h := w.three(data)
		r := w.download(3, func(c *client.Config) { c.Streams = 4 }).complete("f.bin", data).within(1.2, size, 600*kB)
		for k, h := range h {
			if h.dials != 4 {
				t.Errorf("server %d was dialled %d times", k+1, h.dials)
			}
		}
		blocks := r.blocks()
		for _, s := range blocks[len(blocks)/2].Servers {
			if s.Streams != 4 {
				t.Errorf("server %d has %d streams midway", s.Number, s.Streams)
			}
		}
	})
}

// TestStreamsStayOneOnACleanLink holds that auto does no harm, and tries nothing after the start.
func TestStreamsStayOneOnACleanLink(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(2*size, 1)
		h := w.three(data)
		w.download(3, auto).complete("f.bin", data).within(1.15, 2*size, 600*kB)
		for k, h := range h {
			if h.dials > 2 {
				t.Errorf("server %d was dialled %d times", k+1, h.dials)
			}
		}
	})
}

// TestManifestIsNoGap holds that auto does no harm on links so slow that the
// manifest fills them for a while, and what was asked for at the start for longer.
func TestManifestIsNoGap(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(2*size, 1)
		rates := []float64{100 * kB, 200 * kB, 400 * kB, 800 * kB}
		for i, rate := range rates {
			w.serve(i+1, w.file("f.bin", data), rate, time.Duration(10+10*i)*time.Millisecond)
		}
		r := w.download(4, auto).complete("f.bin", data).within(1.15, 2*size, rates...)
		for _, b := range r.blocks() {
			for _, s := range b.Servers {
				if s.Streams > 1 && b.Elapsed > 1.2 {
					t.Fatalf("%d streams to server %d after %v s", s.Streams, s.Number, b.Elapsed)
				}
			}
		}
	})
}

// TestStreamsAreRefused has a server that holds fewer connections than are asked for.
func TestStreamsAreRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		h := w.serve(1, w.file("f.bin", data), 400*kB, 20*time.Millisecond, func(c *server.Config) { c.MaxConns = 2 })
		w.download(1, func(c *client.Config) { c.Streams = 4 }).complete("f.bin", data).within(1.15, size, 400*kB).told("refused", 0)
		if h.dials > 20 {
			t.Errorf("dialled %d times in 10 s", h.dials)
		}
	})
}
