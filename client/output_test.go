package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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

// lateReader is an output that nobody reads before open is closed.
type lateReader struct {
	open chan struct{}
	lockedBuffer
}

func (l *lateReader) Write(b []byte) (int, error) {
	<-l.open
	return l.lockedBuffer.Write(b)
}

// unread runs a client whose stdout and stderr nobody reads. They are one, as on a terminal, or
// two pipes.
func (w *world) unread(one bool) (stdout, stderr *lateReader, cancel context.CancelFunc, done chan error) {
	stdout, done = &lateReader{open: make(chan struct{})}, make(chan error, 1)
	if stderr = stdout; !one {
		stderr = &lateReader{open: make(chan struct{})}
	}
	cfg := client.Config{
		Interval: time.Millisecond, Output: w.out(), Addresses: []string{"h"}, Ports: []int{9001},
		Wait: time.Minute, Streams: 1, Report: "text", Progress: "always",
	}
	env := w.env()
	env.Stdout, env.Stderr = stdout, stderr
	ctx, cancel := context.WithCancel(w.ctx)
	w.tasks.Go(func() { done <- client.Run(ctx, cfg, env) })
	return stdout, stderr, cancel, done
}

// TestNobodyReads holds that the file comes all the same, and that who reads later is told.
func TestNobodyReads(t *testing.T) {
	for name, one := range map[string]bool{"a terminal": true, "two pipes": false} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				data := content(1*MB, 1)
				w.three(data)
				stdout, stderr, cancel, done := w.unread(one)
				defer cancel()
				time.Sleep(10 * time.Second) // 1 MB at 200 kB/s takes half of it
				if got, err := os.ReadFile(filepath.Join(w.out(), "f.bin")); err != nil || !bytes.Equal(got, data) {
					t.Errorf("the file is not there: %v", err)
				}
				time.Sleep(time.Hour)
				select {
				case err := <-done:
					t.Errorf("it has not waited for a reader, and ended with %v", err)
				default:
				}
				close(stdout.open)
				if !one {
					time.Sleep(time.Second)
					if !strings.Contains(stdout.String(), "Saved ") {
						t.Error("stdout waits for stderr")
					}
					close(stderr.open)
				}
				if err := <-done; err != nil {
					t.Error(err)
				}
				if out := stdout.String(); !strings.Contains(out, "\nTotal: 1000000/1000000, ") || !strings.Contains(out, "\nSaved ") {
					t.Errorf("stdout lacks its end: %q", out[max(0, len(out)-500):])
				}
				if !strings.Contains(stderr.String(), "connected\n") {
					t.Errorf("stderr has %q", stderr.String())
				}
			})
		})
	}
}

// TestNobodyReadsInterrupted ends a client in the middle of the download, and one that has the file
// and waits for a reader.
func TestNobodyReadsInterrupted(t *testing.T) {
	for name, one := range map[string]bool{"a terminal": true, "two pipes": false} {
		for when, complete := range map[time.Duration]bool{2 * time.Second: false, time.Minute: true} {
			t.Run(fmt.Sprint(name, when), func(t *testing.T) {
				inWorld(t, func(w *world) {
					w.three(content(1*MB, 1))
					stdout, stderr, cancel, done := w.unread(one)
					time.Sleep(when)
					cancel()
					select {
					case err := <-done:
						if interrupted := new(client.InterruptedError); errors.As(err, &interrupted) == complete || complete && err != nil {
							t.Errorf("it ended with %v", err)
						}
					case <-time.After(time.Second):
						t.Error("it does not end")
					}
					close(stdout.open)
					if !one {
						close(stderr.open)
					}
				})
			})
		}
	}
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
