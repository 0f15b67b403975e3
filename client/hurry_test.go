package client_test

import (
	"testing"
	"time"
)

// TestHurry: reads wait for nothing near the end, and only there; so do those of a connection that is made then.
func TestHurry(t *testing.T) {
	inWorld(t, func(w *world) {
		const cut = 6620 * time.Millisecond
		data := content(size, 1)
		var hosts []*memHost
		for k, rate := range []float64{30 * kB, 285 * kB, 285 * kB} {
			hosts = append(hosts, w.serve(k+1, w.file("f.bin", data), rate, 10*time.Millisecond))
		}
		w.at(cut, hosts[0].reset)
		r := w.download(3).complete("f.bin", data).within(1.05, size, 600*kB).told("rejoined", 1)
		for k, h := range hosts {
			calls := h.hurries
			if !calls[len(calls)-1].on {
				t.Fatalf("server %d: reads do not hurry at the end", k+1)
			}
			for len(calls) > 0 && !calls[0].on {
				calls = calls[1:]
			}
			if left := r.took - calls[0].at.Sub(r.begun); left > time.Second {
				t.Errorf("server %d: reads hurry from %v before the end on", k+1, left)
			}
		}
		if h := hosts[0].hurries; h[len(h)-1].at.Sub(r.begun) < cut {
			t.Error("nobody has told the connection that was made near the end to hurry")
		}
	})
}
