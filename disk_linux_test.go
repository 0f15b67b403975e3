package main

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
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
	data := make([]byte, 2_000_000)
	rand.NewChaCha8([32]byte{3}).Read(data)
	file := filepath.Join(t.TempDir(), "data.bin")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	servers := startSenders(t, file)
	defer servers.stop(t)
	out := t.TempDir()

	p := start(t, "client", "-i", "0.02", "-o", out, "-a", "127.0.0.1", "-p", servers.ports,
		"--report", "json", "--progress", "never")
	var output strings.Builder
	verified := int64(0)
	for limited := false; p.lines.Scan(); {
		output.WriteString(p.lines.Text() + "\n")
		var block struct{ Bytes int64 }
		if json.Unmarshal(p.lines.Bytes(), &block) != nil {
			continue
		}
		if verified = block.Bytes; verified > 500_000 && !limited {
			limited = true
			// Each server sends its third from the beginning: the last one's lies behind.
			if err := unix.Prlimit(p.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1_000_000, Max: unix.RLIM_INFINITY}, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if code := p.end(t); code != codeDisk {
		t.Fatalf("exit code %d, want %d:\n%s", code, codeDisk, output.String())
	}
	part := filepath.Join(out, "data.bin.part")
	for _, want := range []string{"write " + part + ": file too large", "what has verified is kept in " + part + ", -r goes on from there"} {
		if !strings.Contains(output.String(), want) {
			t.Errorf("no %q in the output:\n%s", want, output.String())
		}
	}

	l := servers.download(t, out, -1)
	if l.code != codeDone || l.resumed < verified {
		t.Errorf("exit code %d, resumed %d of the %d bytes verified:\n%s", l.code, l.resumed, verified, l.output)
	}
	if got, err := os.ReadFile(filepath.Join(out, "data.bin")); err != nil || !bytes.Equal(got, data) {
		t.Errorf("the file: %d bytes, %v", len(got), err)
	}
}
