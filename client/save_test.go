package client

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"braid/report"
)

// TestSlowDiskIsTold has the disk take its time at the end, and then fail.
func TestSlowDiskIsTold(t *testing.T) {
	for took, told := range map[time.Duration]int{0: 0, diskQuiet - 1: 0, diskQuiet + 1: 1, time.Minute: 1} {
		synctest.Test(t, func(t *testing.T) {
			var stderr bytes.Buffer
			screen := report.NewScreen(io.Discard, report.NewLive(&stderr, report.Terminal{}, false))
			d := &download{tell: screen.Events(), content: &content{name: "f.bin"}}
			began := time.Now()
			path, err := d.save(func() (string, error) {
				time.Sleep(took)
				return "path", io.ErrShortWrite
			})
			if path != "path" || !errors.Is(err, io.ErrShortWrite) || time.Since(began) != took {
				t.Errorf("%q, %v after %v", path, err, time.Since(began))
			}
			screen.Close(t.Context())
			if n := strings.Count(stderr.String(), "all of f.bin has come and verified; the disk is still writing it\n"); n != told {
				t.Errorf("%v: told %d times, want %d: %q", took, n, told, stderr.String())
			}
		})
	}
}
