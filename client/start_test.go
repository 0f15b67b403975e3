package client_test

import (
	"testing"
	"time"

	"braid/client"
	"braid/server"
)

func auto(c *client.Config) { c.Streams = 0 }

// TestStart: a server that is far is dialled twice for the start, and has one connection soon after.
func TestStart(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(2*size, 1)
		near := w.serve(1, w.file("f.bin", data), 2*MB, 2*time.Millisecond)
		far := w.serve(2, w.file("f.bin", data), 2*MB, 30*time.Millisecond)
		r := w.download(2, auto).complete("f.bin", data).within(1.1, 2*size, 2*MB, 2*MB).wasted(size / 50)
		if near.dials != 1 || far.dials != 2 {
			t.Errorf("the near server was dialled %d times and the far one %d times, want 1 and 2", near.dials, far.dials)
		}
		for _, b := range r.blocks()[1:] {
			for _, s := range b.Servers {
				if s.Streams != 1 {
					t.Errorf("%d streams to server %d after %v s", s.Streams, s.Number, b.Elapsed)
				}
			}
		}
		r.told("connected", 2).told("lost", 0)
	})
}

// TestStartAlone: who has no second connection for the start is not told of, and does without.
func TestStartAlone(t *testing.T) {
	data := content(size, 1)
	for name, change := range map[string]func(*server.Config){
		"one at a time": func(c *server.Config) { c.MaxConns = 1 },
		"any number":    func(*server.Config) {},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				h := w.serve(1, w.file("f.bin", data), 2*MB, 30*time.Millisecond, change)
				w.download(1, auto).complete("f.bin", data).within(1.2, size, 2*MB).told("busy", 0).told("refused", 0)
				if h.dials != 2 {
					t.Errorf("dialled %d times", h.dials)
				}
			})
		})
	}
	t.Run("as many as the user says", func(t *testing.T) {
		inWorld(t, func(w *world) {
			h := w.serve(1, w.file("f.bin", data), 2*MB, 30*time.Millisecond)
			w.download(1, func(c *client.Config) { c.Streams = 1 }).complete("f.bin", data)
			if h.dials != 1 {
				t.Errorf("dialled %d times", h.dials)
			}
		})
	})
}

// TestStartInPlaceOfTheFirst: where the first connection hangs, the one for the start brings the file.
func TestStartInPlaceOfTheFirst(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		h := w.serve(1, w.file("f.bin", data), 2*MB, 30*time.Millisecond)
		h.hang = true
		w.at(5*time.Millisecond, func() { h.do(func() { h.hang = false }) })
		w.download(1, auto).complete("f.bin", data).between(2*time.Second, 2400*time.Millisecond)
	})
}
