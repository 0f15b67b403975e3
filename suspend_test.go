//go:build !windows

package main

import (
	"encoding/json"
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
			servers := startSenders(t, 4, 3_000_000)
			defer servers.stop(t)
			out := t.TempDir()
			p := start(t, "client", "-i", "0.02", "-o", out, "-a", "127.0.0.1", "-p", servers.ports,
				"--report", "json", "--progress", "never", "--streams", "1", "--wait", "1s")
			stopped := p
			if who == "servers" {
				stopped = servers.program
			}
			done := false
			output := p.blocks(func(bytes int64) {
				if !done && bytes > 500_000 {
					done = true
					stopped.signal(t, syscall.SIGSTOP)
					time.AfterFunc(suspension, func() { _ = stopped.Process.Signal(syscall.SIGCONT) })
				}
			})
			if code := p.end(t); code != codeDone {
				t.Fatalf("exit code %d:\n%s", code, output)
			}
			servers.complete(t, out)
			var result struct {
				Elapsed float64
				Servers []struct{ Bytes int64 }
			}
			for line := range strings.Lines(output) {
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
			if who == "servers" && (!strings.Contains(output, "stalled") || !strings.Contains(output, "rejoined")) {
				t.Errorf("stalled and rejoined, where are they?\n%s", output)
			}
			busy := p.ProcessState.UserTime() + p.ProcessState.SystemTime()
			t.Logf("%.1f s, %v of them busy", result.Elapsed, busy)
			if who == "servers" && busy > suspension/2 { // a client that is stopped cannot spin
				t.Errorf("%v of CPU time in %.1f s", busy, result.Elapsed)
			}
		})
	}
}
