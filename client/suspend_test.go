package client_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"braid/client"
)

// stopped is an output at which the program stands still once, as if it had been suspended.
type stopped struct {
	once sync.Once
	span time.Duration
}

func (s *stopped) Write(p []byte) (int, error) {
	s.once.Do(func() { time.Sleep(s.span) })
	return len(p), nil
}

// TestSuspended stops the client for far longer than --wait: all timers are late, and
// the servers have given up long ago. It goes on as if nothing had been.
func TestSuspended(t *testing.T) {
	// What comes first when it wakes is chance: several tries.
	for i, span := range []time.Duration{20 * time.Second, 3 * time.Minute, time.Hour, time.Hour, time.Hour, time.Hour, time.Hour, time.Hour} {
		t.Run(fmt.Sprint(i, span), func(t *testing.T) {
			inWorld(t, func(w *world) {
				data := content(size, 1)
				w.three(data)
				env := w.env()
				env.Stdout, env.Stderr = &stopped{span: span}, &lockedBuffer{}
				cfg := client.Config{
					Interval: 2 * time.Second, Output: w.out(), Wait: 30 * time.Second, Report: "text", Progress: "never",
					Streams: 1, Addresses: []string{"h", "h", "h"}, Ports: []int{9001, 9002, 9003},
				}
				begun := time.Now()
				r := &run{w: w, cfg: cfg}
				r.err = client.Run(w.ctx, cfg, env)
				r.took = time.Since(begun)
				r.complete("f.bin", data)
				if limit := span + 12*time.Second; r.took < span || r.took > limit {
					t.Errorf("took %v, want at most %v\n%s", r.took, limit, env.Stderr)
				}
			})
		})
	}
}
