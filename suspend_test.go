//go:build !windows

package main

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// suspension is short: what hours of it do is tried in virtual time, by TestSuspended of
// package client. Here it is the system's clocks, timers and sockets that are real.
const suspension = 3 * time.Second

// TestSuspensionIsSurvived stops the client, and another time all servers, in the middle of
// a download, and lets them go on. The download ends well, by the servers that it began
// with, and the client does not spin while it waits.
func TestSuspensionIsSurvived(t *testing.T) {
	for _, who := range []string{"client", "servers"} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			data := make([]byte, 3_000_000)
			rand.NewChaCha8([32]byte{4}).Read(data)
			file := filepath.Join(t.TempDir(), "data.bin")
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			servers := startSenders(t, file)
			defer servers.stop(t)
			out := t.TempDir()
			p := start(t, "client", "-i", "0.02", "-o", out, "-a", "127.0.0.1", "-p", servers.ports,
				"--report", "json", "--progress", "never", "--streams", "1", "--wait", "1s")
			stopped := p
			if who == "servers" {
				stopped = servers.program
			}
			var output strings.Builder
			for done := false; p.lines.Scan(); {
				output.WriteString(p.lines.Text() + "\n")
				var block struct{ Bytes int64 }
				if !done && json.Unmarshal(p.lines.Bytes(), &block) == nil && block.Bytes > 500_000 {
					done = true
					stopped.signal(t, syscall.SIGSTOP)
					time.AfterFunc(suspension, func() { _ = stopped.Process.Signal(syscall.SIGCONT) })
				}
			}
			if code := p.end(t); code != codeDone {
				t.Fatalf("exit code %d:\n%s", code, output.String())
			}
			if got, err := os.ReadFile(filepath.Join(out, "data.bin")); err != nil || !bytes.Equal(got, data) {
				t.Errorf("the file: %d bytes, %v", len(got), err)
			}
			var result struct {
				Elapsed float64
				Servers []struct{ Bytes int64 }
			}
			for line := range strings.Lines(output.String()) {
				_ = json.Unmarshal([]byte(line), &result) // events are no JSON; the last one counts
			}
			if result.Elapsed < suspension.Seconds() {
				t.Errorf("it took %.1f s: nobody was suspended", result.Elapsed)
			}
			for k, s := range result.Servers {
				if s.Bytes < 300_000 {
					t.Errorf("%d bytes from server %d", s.Bytes, k+1)
				}
			}
			if who == "servers" && (!strings.Contains(output.String(), "stalled") || !strings.Contains(output.String(), "rejoined")) {
				t.Errorf("stalled and rejoined, where are they?\n%s", output.String())
			}
			busy := p.ProcessState.UserTime() + p.ProcessState.SystemTime()
			t.Logf("%.1f s, %v of them busy", result.Elapsed, busy)
			if busy > suspension/2 {
				t.Errorf("%v of CPU time in %.1f s", busy, result.Elapsed)
			}
		})
	}
}
