package client_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"braid/client"
	"braid/report"
)

// halfway is what a person sees of the bar about then: the percentage and the time left.
var halfway = regexp.MustCompile(`\b[456]\d%.* \d:\d\d left`)

// TestProgress holds where the bar is shown, and that nothing of it stays at the end.
func TestProgress(t *testing.T) {
	window := report.Terminal{Size: func() (columns, rows int) { return 80, 24 }}
	for _, test := range []struct {
		name     string
		progress string
		terminal report.Terminal
		shown    bool
	}{
		{"always, no terminal", "always", report.Terminal{}, true},
		{"always on a terminal", "always", window, true},
		{"auto on a terminal", "auto", window, true},
		{"auto, no terminal", "auto", report.Terminal{}, false},
		{"never on a terminal", "never", window, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				data := content(4*MB, 1)
				w.three(data)
				cfg := client.Config{
					Interval: 500 * time.Millisecond, Output: w.out(), Wait: time.Minute, Streams: 1, Report: "text", Progress: test.progress,
					Addresses: []string{"h", "h", "h"}, Ports: []int{9001, 9002, 9003},
				}
				r := &run{w: w, cfg: cfg}
				env := w.env()
				env.Stdout, env.Stderr, env.Terminal = &r.stdout, &r.stderr, test.terminal
				r.err = client.Run(w.ctx, cfg, env)
				r.complete("f.bin", data)
				stderr := r.stderr.String()
				if !test.shown {
					if strings.ContainsAny(stderr, "%\r\x1b") {
						t.Errorf("a bar is on stderr: %q", stderr)
					}
					return
				}
				if !halfway.MatchString(stderr) {
					t.Errorf("no bar is on stderr: %q", stderr)
				}
				if !strings.HasSuffix(stderr, "\r\x1b[K") && !strings.HasSuffix(stderr, "\r\x1b[J") {
					t.Errorf("the bar is left there: %q", stderr[max(0, len(stderr)-200):])
				}
			})
		})
	}
}
