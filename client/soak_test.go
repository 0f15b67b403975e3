package client_test

import (
	"flag"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"braid/client"
)

var soak = flag.Duration("soak", 30*time.Minute, "how long TestFleetFlaps goes on, in virtual time; 168h is a week")

// TestFleetFlaps has a fleet of servers, none of which is there for more than two minutes,
// carry a download for a very long time: they die and come back, are reset, fall silent.
// Goroutines and memory late in the download are what they were early in it.
func TestFleetFlaps(t *testing.T) {
	const (
		servers = 4
		rate    = 2 * kB // of each, when it is there
	)
	// A machine is there for a minute and then, three times of four, away for half of away.
	visits := soak.Seconds() / (60 + 3./4*away().Seconds()/2)
	data := content(int(visits*60*servers*rate), 1)
	inWorldAlone(t, func(w *world) {
		for k := range servers {
			h := w.serve(k+1, w.file("f.bin", data), rate, 50*time.Millisecond)
			w.tasks.Go(func() { w.flap(h, rand.New(rand.NewPCG(uint64(k), 3))) })
		}
		r := w.start(servers, func(c *client.Config) {
			c.Interval, c.Report, c.Wait = time.Minute, "none", *soak
		})
		time.Sleep(*soak / 8)
		early := r.most(*soak / 8)
		time.Sleep(*soak / 4)
		late := r.most(*soak / 8)
		if late.goroutines > early.goroutines+early.goroutines/2 || late.heap > early.heap+4*MB {
			t.Errorf("early %+v, late %+v", early, late)
		}
		r.wait().complete("f.bin", data)
		back := strings.Count(r.stderr.String(), "rejoined")
		t.Logf("%v; early %+v, late %+v; %d times back", r.took, early, late, back)
		if r.took < *soak*5/8 || back < 50 {
			t.Errorf("took %v, servers were back %d times: that is no soak", r.took, back)
		}
	})
}

// usage is what the program takes.
type usage struct {
	goroutines int
	heap       uint64 // bytes
}

// most returns the most that a run takes in the time to come, of a few looks.
func (r *run) most(span time.Duration) (u usage) {
	const looks = 10
	for range looks {
		time.Sleep(span / looks)
		u.heap = max(u.heap, heap())
		u.goroutines = max(u.goroutines, runtime.NumGoroutine())
	}
	return u
}

// away is for how long a machine is away at most. It is longer in a long soak, so that
// the file is not too large.
func away() time.Duration { return *soak / 30 }

// flap lets a machine come and go.
func (w *world) flap(h *memHost, rng *rand.Rand) {
	pause := func(most time.Duration) bool {
		select {
		case <-time.After(time.Duration(rng.Int64N(int64(most)))):
			return true
		case <-w.ctx.Done():
			return false
		}
	}
	for pause(2 * time.Minute) {
		switch rng.IntN(4) {
		case 0:
			h.reset()
		case 1, 2:
			h.kill()
			pause(away())
			h.revive()
		case 3:
			h.stall()
			pause(away())
			h.heal(time.Duration(rng.Int64N(int64(20 * time.Second))))
		}
	}
}
