package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"braid/transport"
)

// TestDemo runs the demo ten times as fast: the video is there and plays, a
// server was shut down midway, the others took its work over.
func TestDemo(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	var stdout, stderr lockedBuffer
	if err := demonstrate(t.Context(), folder, 10, &stdout, &stderr); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	path := filepath.Join(folder, demoName)
	video, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var made bytes.Buffer
	if err := writeVideo(&made); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(video, made.Bytes()) {
		t.Error("the video that arrived is not the one that was made")
	}
	for _, said := range []string{"4 virtual servers hold a copy each, as fast as 150, 250, 350, 450 kB/s", "Status: alive", "Server 3 is shut down now", "Saved " + path, "Every byte is verified"} {
		if !strings.Contains(stdout.String(), said) {
			t.Errorf("stdout lacks %q:\n%s", said, stdout.String())
		}
	}
	for _, said := range []string{": shut down", ": lost: "} {
		if !strings.Contains(stderr.String(), said) {
			t.Errorf("stderr lacks %q:\n%s", said, stderr.String())
		}
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 1 {
		t.Errorf("the folder holds %v, %v", left, err)
	}
}

// crowded is a machine on which somebody else listens on a port a moment before us, unless the system
// gives us the port.
type crowded struct {
	transport.Transport
	t *testing.T
}

func (c crowded) Listen(ctx context.Context, addr string) (net.Listener, error) {
	if _, port, _ := net.SplitHostPort(addr); port != "0" {
		l, err := net.Listen("tcp", addr)
		if err == nil {
			c.t.Cleanup(func() { l.Close() })
		}
	}
	return c.Transport.Listen(ctx, addr)
}

// TestDemoPorts holds that nobody else can take a port between its choice and its use.
func TestDemoPorts(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), demoName)
	if err := os.WriteFile(file, []byte("a video"), 0o600); err != nil {
		t.Fatal(err)
	}
	tcp, err := transport.Builtin().New(transport.TCP.Name, transport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr lockedBuffer
	servers, err := startDemoServers(t.Context(), file, 1, crowded{tcp, t}, &stdout, &stderr)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	servers.stop()
	if n := strings.Count(stdout.String(), "Status: alive"); n != len(demoLimits) {
		t.Errorf("%d servers are alive:\n%s%s", n, stdout.String(), stderr.String())
	}
}

// TestDemoFolder is among the temporary files, else here, else told of.
func TestDemoFolder(t *testing.T) {
	there, here := t.TempDir(), t.TempDir()
	t.Chdir(here)
	nowhere := filepath.Join(there, "missing")
	for _, test := range []struct{ temporary, want string }{{there, there}, {nowhere, "."}} {
		setTempDir(t, test.temporary)
		folder, err := demoFolder()
		if err != nil || filepath.Dir(folder) != test.want {
			t.Errorf("with %s: %q, %v, want one in %s", test.temporary, folder, err, test.want)
		}
	}
	gone := filepath.Join(there, "gone")
	if err := os.Mkdir(gone, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Chdir(gone)
	if err := os.Remove(gone); err != nil {
		return // Windows keeps a folder that is somebody's current one
	}
	if _, err := demoFolder(); err == nil || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("with no folder at all: %v, want one that names TMPDIR", err)
	}
}

// setTempDir has temporary files be made in dir.
func setTempDir(t *testing.T, dir string) {
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, dir)
	}
}
