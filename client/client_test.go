package client_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"lukechampine.com/blake3"

	"braid/client"
)

// TestFourUnequalLinks holds the whole client against the fluid limit.
func TestFourUnequalLinks(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(8*MB, 1)
		rates := []float64{100 * kB, 200 * kB, 400 * kB, 800 * kB}
		for i, rate := range rates {
			w.serve(i+1, w.file("video.mp4", data), rate, time.Duration(10+10*i)*time.Millisecond)
		}
		r := w.download(4).complete("video.mp4", data).within(1.15, len(data), rates...).wasted(256 << 10)
		for i, rate := range rates {
			share := float64(r.from(i+1)) / float64(len(data))
			if want := rate / (1500 * kB); share < 0.7*want || share > 1.3*want {
				t.Errorf("server %d brought %.3f of the file, its part of the rates is %.3f", i+1, share, want)
			}
		}
	})
}

// TestFirstServersAreTheSlowest has the manifest come from the fastest one.
func TestFirstServersAreTheSlowest(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		w.serve(1, w.file("f.bin", data), 20*kB, time.Millisecond)
		w.serve(2, w.file("f.bin", data), 20*kB, time.Millisecond)
		w.serve(3, w.file("f.bin", data), 500*kB, 20*time.Millisecond)
		r := w.download(3, func(c *client.Config) { c.Interval = 50 * time.Millisecond }).complete("f.bin", data).within(1.15, size, 540*kB)
		for _, b := range r.blocks() {
			if b.Bytes > 0 {
				if b.Elapsed > 0.5 {
					t.Errorf("nothing had verified before %v s", b.Elapsed)
				}
				break
			}
		}
	})
}

// TestFastServerNeedNotWaitForTheManifest has a near, slow server asked for the manifest, and a distant, fast one.
func TestFastServerNeedNotWaitForTheManifest(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(32*MB, 1)
		w.serve(1, w.file("f.bin", data), 100*kB, time.Millisecond)
		w.serve(2, w.file("f.bin", data), 8*MB, 150*time.Millisecond)
		w.download(2).complete("f.bin", data).within(1.25, 32*MB, 8100*kB) // 1.15 of that are two round trips
	})
}

var blockLine = regexp.MustCompile(`^(Server \d+|Total): (\d+)/(\d+), download speed: (\d+\.\d)kb/s$`)

// TestBlocks holds the exact form of the text on stdout, and that its sums are right.
func TestBlocks(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(4*MB, 1)
		w.serve(1, w.file("a.bin", data), 1*MB, 5*time.Millisecond)
		w.serve(2, w.file("a.bin", data), 3*MB, 5*time.Millisecond)
		r := w.download(2, func(c *client.Config) { c.Report, c.Interval = "text", 200*time.Millisecond }).complete("a.bin", data)

		lines := strings.Split(strings.TrimSuffix(r.stdout.String(), "\n"), "\n")
		saved := lines[len(lines)-1]
		lines = lines[:len(lines)-1]
		hash := blake3.Sum256(data)
		seconds := r.took.Seconds()
		if want := fmt.Sprintf("Saved %s: %d bytes, blake3 %x, %.2fs, %.1fkb/s", filepath.Join(w.out(), "a.bin"), len(data), hash, seconds, float64(len(data))/seconds/1000); saved != want {
			t.Errorf("the last line is\n%s, want\n%s", saved, want)
		}
		if blocks := int(r.took / (200 * time.Millisecond)); len(lines)%3 != 0 || len(lines)/3 < blocks || len(lines)/3 > blocks+1 {
			t.Errorf("%d lines in %v", len(lines), r.took)
		}
		before := []int64{0, 0, 0}
		for i := 0; i+3 <= len(lines); i += 3 {
			last := i+3 == len(lines)
			var bytes []int64
			for j, name := range []string{"Server 1", "Server 2", "Total"} {
				m := blockLine.FindStringSubmatch(lines[i+j])
				if m == nil || m[1] != name || m[3] != strconv.Itoa(len(data)) {
					t.Fatalf("line %d: %q", i+j+1, lines[i+j])
				}
				n, _ := strconv.ParseInt(m[2], 10, 64)
				bytes = append(bytes, n)
				speed := float64(n-before[j]) / 200
				if last {
					speed = float64(n) / seconds / 1000
				}
				if want := fmt.Sprintf("%.1f", speed); m[4] != want {
					t.Errorf("line %d: %q, want a speed of %s", i+j+1, lines[i+j], want)
				}
			}
			if bytes[0]+bytes[1] != bytes[2] || last && bytes[2] != int64(len(data)) {
				t.Errorf("block %d does not add up: %v", i/3+1, bytes)
			}
			before = bytes
		}
	})
}
