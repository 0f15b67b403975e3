package main

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDiskFull has the disk take no more in the middle of a download, by way of the
// limit on the size of files that a process may be given at any time. The client ends
// with exit code 4, names what is wrong, and with -r goes on from what it had.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	servers := startSenders(t, 3, 2_000_000)
	defer servers.stop(t)
	out := t.TempDir()

	p := start(t, "client", "-i", "0.02", "-o", out, "-a", "127.0.0.1", "-p", servers.ports,
		"--report", "json", "--progress", "never")
	verified, limited := int64(0), false
	output := p.blocks(func(bytes int64) {
		if verified = bytes; verified > 500_000 && !limited {
			limited = true
			// Each server sends its third from the beginning: the last one's lies behind.
			if err := unix.Prlimit(p.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1_000_000, Max: unix.RLIM_INFINITY}, nil); err != nil {
				t.Fatal(err)
			}
		}
	})
	if code := p.end(t); code != codeDisk {
		t.Fatalf("exit code %d, want %d:\n%s", code, codeDisk, output)
	}
	part := filepath.Join(out, "data.bin.part")
	for _, want := range []string{"write " + part + ": file too large", "what has verified is kept in " + part + ", -r goes on from there"} {
		if !strings.Contains(output, want) {
			t.Errorf("no %q in the output:\n%s", want, output)
		}
	}

	l := servers.download(t, out, -1, false)
	if l.code != codeDone || l.resumed < verified {
		t.Errorf("exit code %d, resumed %d of the %d bytes verified:\n%s", l.code, l.resumed, verified, l.output)
	}
	servers.complete(t, out)
}
