//go:build !windows

package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeFile writes a file into a folder of its own and returns its path.
func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data.bin")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestNoPortIsFree: servers none of which gets its port end with exit code 1.
func TestNoPortIsFree(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	p := start(t, "server", "-i", "60", "-n", "1", "-f", writeFile(t, "content"), "--bind", "127.0.0.1", "-p", port)
	p.until(t, "Server 1 (port "+port+"): dead: ")
	p.until(t, "braid: ")
	if code := p.end(t); code != codeFailure {
		t.Errorf("exit code %d, want %d", code, codeFailure)
	}
}

// TestServersDisagree: of two copies that differ neither is taken, exit code 3.
func TestServersDisagree(t *testing.T) {
	ports := portList(freePortsOf(t, 2))
	servers := start(t, "server", "-i", "60", "-n", "2", "-f", writeFile(t, "one")+","+writeFile(t, "two"), "--bind", "127.0.0.1", "-p", ports)
	servers.until(t, "Status: alive, To Shutdown Server 2")
	out := filepath.Join(t.TempDir(), "out")
	p := start(t, "client", "-i", "60", "-o", out, "-a", "127.0.0.1", "-p", ports)
	p.until(t, "braid: ")
	if code := p.end(t); code != codeIntegrity {
		t.Errorf("exit code %d, want %d", code, codeIntegrity)
	}
	if left, _ := os.ReadDir(out); len(left) > 0 {
		t.Errorf("left in the folder: %v", left)
	}
}

// TestNobodyAnswers: exit code 5, and at once with --wait 0.
func TestNobodyAnswers(t *testing.T) {
	p := start(t, "client", "-i", "60", "-o", t.TempDir(), "-a", "127.0.0.1", "-p", portList(freePortsOf(t, 1)), "--wait", "0")
	p.until(t, "braid: no server answered")
	if code := p.end(t); code != codeNoServer {
		t.Errorf("exit code %d, want %d", code, codeNoServer)
	}
}

// TestAddressFamilies downloads over an IPv6 literal, and from servers on every address.
func TestAddressFamilies(t *testing.T) {
	for _, test := range []struct{ name, bind, address string }{
		{"IPv6", "::1", "::1"},
		{"IPv6 in brackets", "[::1]", "[::1]"},
		{"every address", "", "127.0.0.1"},
		{"every address, IPv6", "", "::1"},
	} {
		for _, transport := range []string{"tcp", "quic"} {
			t.Run(test.name+", "+transport, func(t *testing.T) {
				if strings.Contains(test.address, ":") {
					l, err := net.Listen("tcp6", "[::1]:0")
					if err != nil {
						t.Skipf("this machine has no IPv6: %v", err)
					}
					l.Close()
				}
				ports := portList(freePortsOf(t, 2))
				file := writeFile(t, strings.Repeat("content ", 10_000))
				servers := start(t, "server", "-i", "60", "-n", "2", "-f", file, "--bind", test.bind, "-p", ports, "--transport", transport)
				servers.until(t, "Status: alive, To Shutdown Server 2")
				out := t.TempDir()
				p := start(t, "client", "-i", "60", "-o", out, "-a", test.address, "-p", ports, "--transport", transport)
				p.until(t, "Saved "+filepath.Join(out, "data.bin")+": 80000 bytes")
				if code := p.end(t); code != codeDone {
					t.Errorf("exit code %d, want %d", code, codeDone)
				}
				want, _ := os.ReadFile(file)
				if got, err := os.ReadFile(filepath.Join(out, "data.bin")); err != nil || string(got) != string(want) {
					t.Errorf("the file: %d bytes, %v", len(got), err)
				}
			})
		}
	}
}
