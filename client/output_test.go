package client_test

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"braid/client"
	"braid/wire"
)

// closedPipe is a stdout whose reader has gone.
type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// TestStdoutFails holds that the download goes on to its end all the same.
func TestStdoutFails(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(1*MB, 1)
		w.three(data)
		cfg := client.Config{
			Interval: 100 * time.Millisecond, Output: w.out(), Addresses: []string{"h"}, Ports: []int{9001},
			Wait: time.Minute, Streams: 1, Report: "text", Progress: "never",
		}
		var stderr lockedBuffer
		env := w.env()
		env.Stdout, env.Stderr = closedPipe{}, &stderr
		err := client.Run(w.ctx, cfg, env)
		if err != nil {
			t.Errorf("got %v", err)
		}
		if said := stderr.String(); !strings.Contains(said, "cannot write the report") || !strings.Contains(said, "is complete all the same") {
			t.Errorf("stderr has %q", said)
		}
		if got, err := os.ReadFile(filepath.Join(w.out(), "f.bin")); err != nil || !bytes.Equal(got, data) {
			t.Errorf("the file is not there: %v", err)
		}
	})
}

// TestEventsAreClean has a server whose words would steer a terminal.
func TestEventsAreClean(t *testing.T) {
	const evil = "\x1b[2J\r\nServer 9: connected\n\u202egnp.exe"
	preface := wire.Preface()
	inWorld(t, func(w *world) {
		w.script(1, 0, time.Millisecond, func(c net.Conn) {
			c.Write(wire.Append(preface[:], wire.Refuse{Code: wire.Busy, Text: evil}))
		})
		r := w.download(1, waitFor(5*time.Second)).refused("busy").mentioned("refused: busy: ?[2J??Server 9")
		for _, c := range r.stderr.String() {
			if c != '\n' && !unicode.IsPrint(c) {
				t.Fatalf("%q on stderr: %q", c, r.stderr.String())
			}
		}
		if strings.Contains(r.stderr.String(), "\nServer 9") {
			t.Error("a server can write lines of its own")
		}
	})
}

// TestWarnings tells what the transport warns of, however late that is.
func TestWarnings(t *testing.T) {
	inWorld(t, func(w *world) {
		w.warns = make(chan string, 1)
		w.warns <- "no key is set"
		data := content(100*kB, 1)
		w.serve(1, w.file("f.bin", data), 200*kB, 20*time.Millisecond)
		r := w.start(1)
		time.Sleep(300 * time.Millisecond)
		w.warns <- "and more\x1b[2J"
		r.wait().complete("f.bin", data).told("braid: no key is set\n", 1).told("braid: and more?[2J\n", 1)
	})
}

// TestReportNone leaves stdout alone.
func TestReportNone(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(1*MB, 1)
		w.three(data)
		r := w.download(3, func(c *client.Config) { c.Report = "none" }).complete("f.bin", data)
		if out := r.stdout.String(); out != "" {
			t.Errorf("stdout has %q", out)
		}
	})
}
