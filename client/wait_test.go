package client_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"braid/client"
	"braid/server"
	"braid/wire"
)

func waitFor(d time.Duration) func(*client.Config) { return func(c *client.Config) { c.Wait = d } }

// noServer holds that a run has ended with a NoServerError that names parts.
func (r *run) noServer(parts ...string) *run {
	r.w.t.Helper()
	return failedWith[*client.NoServerError](r, parts)
}

// refused holds that a run has ended with a RefusedError that names parts.
func (r *run) refused(parts ...string) *run {
	r.w.t.Helper()
	return failedWith[*client.RefusedError](r, parts)
}

// between holds when the run ended.
func (r *run) between(low, high time.Duration) *run {
	r.w.t.Helper()
	if r.took < low || r.took > high {
		r.w.t.Errorf("took %v, want %v to %v\n%s", r.took, low, high, r.stderr.String())
	}
	return r
}

func TestNothingAnswers(t *testing.T) {
	for name, change := range map[string]func(*memHost){
		"no answer":             func(h *memHost) { h.hang = true },
		"nothing listens there": func(h *memHost) { h.down = true },
	} {
		for _, wait := range []time.Duration{0, 5 * time.Second, 10 * time.Minute} {
			t.Run(fmt.Sprint(name, wait), func(t *testing.T) {
				inWorld(t, func(w *world) {
					for k := range 3 {
						change(w.host(k+1, 0, 10*time.Millisecond))
					}
					// With --wait 0 one attempt has to fail, which takes 3 s if nobody answers.
					r := w.download(3, waitFor(wait)).noServer(name).between(wait, max(wait+time.Second, 3500*time.Millisecond)).empty()
					if wait > 0 {
						limit := strings.TrimSuffix(wait.String(), "0s") // of 10m0s
						r.says("within "+limit, "--transport is tcp").told("no server answers yet: seeking them by tcp for up to "+limit+"\n", 1)
					}
					if lines := strings.Count(r.stderr.String(), "\n"); lines > 4 {
						t.Errorf("%d lines on stderr:\n%s", lines, r.stderr.String())
					}
				})
			})
		}
	}
}

func TestUnknownHost(t *testing.T) {
	inWorld(t, func(w *world) {
		w.download(1, waitFor(0)).noServer("no such host").between(0, time.Second)
	})
}

// TestStrangers has everybody speak something else: there is no prospect.
func TestStrangers(t *testing.T) {
	for name, banner := range map[string]string{
		"HTTP": "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n400 Bad Request",
		"SSH":  "SSH-2.0-OpenSSH_9.9\r\n",
		"TLS":  "\x15\x03\x01\x00\x02\x02\x46",
		"line": wire.StrangerLine,
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				for k := range 2 {
					w.script(k+1, 0, 10*time.Millisecond, func(c net.Conn) {
						io.WriteString(c, banner)
						io.Copy(io.Discard, c)
					})
				}
				w.download(2).refused("speaks something else than the braid protocol").between(0, time.Second).empty()
			})
		})
	}
}

// TestStrangerAmongServers costs nothing.
func TestStrangerAmongServers(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		w.serve(1, w.file("f.bin", data), 400*kB, 10*time.Millisecond)
		h := w.script(2, 0, 10*time.Millisecond, func(c net.Conn) { io.WriteString(c, "SSH-2.0-OpenSSH_9.9\r\n") })
		w.download(2).complete("f.bin", data).within(1.1, size, 400*kB).told("Server 2 (h:9002): refused: speaks something else", 1)
		if h.dials > 2 {
			t.Errorf("dialled %d times", h.dials)
		}
	})
}

func TestOtherVersion(t *testing.T) {
	preface := wire.Preface()
	theirs := preface
	theirs[len(theirs)-1] = 9
	for name, reply := range map[string][]byte{
		"in the preface": theirs[:],
		"refused":        wire.Append(preface[:], wire.Refuse{Code: wire.BadVersion, Text: "this server speaks version 9"}),
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script(1, 0, 10*time.Millisecond, func(c net.Conn) {
					c.Write(reply)
					io.Copy(io.Discard, c)
				})
				w.download(1).refused("version 9").between(0, time.Second)
			})
		})
	}
}

// TestBrokenGreeting has a server that speaks the protocol, but not well.
func TestBrokenGreeting(t *testing.T) {
	preface := wire.Preface()
	inWorld(t, func(w *world) {
		w.script(1, 0, 10*time.Millisecond, func(c net.Conn) {
			c.Write(append(preface[:], 99, 0, 0, 0))
			io.Copy(io.Discard, c)
		})
		w.download(1).refused("protocol error").between(0, time.Second)
	})
}

func TestBusyThenFree(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(1*MB, 1)
		one := func(c *server.Config) { c.MaxConns = 1 }
		w.serve(1, w.file("f.bin", data), 500*kB, 10*time.Millisecond, one)
		first := w.start(1, func(c *client.Config) { c.Output += "1" })
		time.Sleep(time.Second)
		second := w.download(1).complete("f.bin", data).told("Server 1 (h:9001): refused: busy", 1)
		first.wait().complete("f.bin", data)
		if second.took > 6*time.Second {
			t.Errorf("took %v", second.took)
		}
	})
}

func TestBusyForEver(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(1*MB, 1)
		none := func(c *server.Config) { c.MaxConns = 0 }
		w.serve(1, w.file("f.bin", data), 500*kB, 10*time.Millisecond, none)
		w.download(1, waitFor(20*time.Second)).refused("busy").between(20*time.Second, 22*time.Second)
	})
}

// TestChanged has the file change under a server that serves it.
func TestChanged(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		path := w.file("f.bin", data)
		w.serve(1, path, 200*kB, 10*time.Millisecond)
		w.serve(2, w.file("f.bin", data), 200*kB, 10*time.Millisecond)
		w.at(3*time.Second, func() {
			if err := os.WriteFile(path, content(size, 2), 0o666); err != nil {
				t.Error(err)
			}
			os.Chtimes(path, time.Time{}, time.Unix(1, 0))
		})
		r := w.download(2).complete("f.bin", data).mentioned("Server 1 (h:9001): refused: its file has changed")
		if n := r.from(1); n < 400*kB || n > 700*kB {
			t.Errorf("%d bytes from the server whose file changed", n)
		}
	})
}

func TestAllLostForGood(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		h := w.three(data)
		w.toAll(3*time.Second, h, (*memHost).kill)
		r := w.download(3, waitFor(30*time.Second)).noServer("within 30s", "what has verified is kept in", "-r goes on from there").
			told("all servers lost: seeking them again for up to 30s", 1).between(33*time.Second, 35*time.Second)
		for _, h := range h {
			h.revive()
		}
		again := w.download(3, resume).complete("f.bin", data)
		if again.result().Resumed < 1500*kB || r.took == 0 {
			t.Errorf("resumed %d", again.result().Resumed)
		}
	})
}

// TestAllLostBesideAnotherFile counts no server as one that answers because it did so before.
func TestAllLostBesideAnotherFile(t *testing.T) {
	inWorld(t, func(w *world) {
		h := w.three(content(size, 1))
		h = append(h, w.serve(4, w.file("f.bin", content(size, 2)), 200*kB, 20*time.Millisecond))
		w.toAll(2*time.Second, h, (*memHost).kill)
		w.download(4, waitFor(5*time.Second)).noServer("within 5s").between(7*time.Second, 9*time.Second)
	})
}

// TestAllLostWithoutWaiting gives each one more attempt.
func TestAllLostWithoutWaiting(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		h := w.three(data)
		w.toAll(3*time.Second, h, (*memHost).kill)
		w.download(3, waitFor(0)).noServer("nothing listens there").between(3*time.Second, 5*time.Second)
	})
}

// TestAllSilentForGood has connections that say nothing any more. That is told, and waited for as long
// as the user says.
func TestAllSilentForGood(t *testing.T) {
	for wait, patience := range map[time.Duration]time.Duration{0: 3 * time.Second, 5 * time.Second: 5 * time.Second, time.Minute: time.Minute} {
		t.Run(wait.String(), func(t *testing.T) {
			inWorld(t, func(w *world) {
				data := content(size, 1)
				h := w.three(data)
				w.toAll(3*time.Second, h, (*memHost).stall)
				w.download(3, waitFor(wait)).noServer(patience.String(), "all connected servers are silent").
					told("all servers lost: nothing comes from those that are connected, waiting for up to "+strings.TrimSuffix(patience.String(), "0s")+";", 1).
					between(3*time.Second+patience, 3*time.Second+patience*5/4)
			})
		})
	}
}

// TestClosedOrCut has a port that accepts and ends each connection, one way or the other: that is one event.
func TestClosedOrCut(t *testing.T) {
	inWorld(t, func(w *world) {
		var n atomic.Int64
		w.script(1, 0, 10*time.Millisecond, func(c net.Conn) {
			if n.Add(1)%2 == 0 {
				c.(*memConn).SetLinger(0)
			}
		})
		w.download(1, waitFor(5*time.Second)).noServer("it closed the connection").told("refused", 1)
		if n.Load() < 4 {
			t.Errorf("dialled %d times", n.Load())
		}
	})
}

// TestSilentSocket has a server that takes the connection, and no more.
func TestSilentSocket(t *testing.T) {
	for wait, patience := range map[time.Duration]time.Duration{0: 3 * time.Second, time.Second: time.Second} {
		t.Run(wait.String(), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script(1, 0, 10*time.Millisecond, func(c net.Conn) { io.Copy(io.Discard, c) })
				w.download(1, waitFor(wait)).noServer("server 1 (h:9001): no answer", "--transport").
					between(patience, patience+time.Second)
			})
		})
	}
}

// TestOnlyWelcomes has servers that answer, but never send a byte of the file.
func TestOnlyWelcomes(t *testing.T) {
	data := content(1*MB, 1)
	// DATA never comes, PONG does.
	mute := actor{data: data, name: "f.bin", answer: func(m wire.Message) []byte {
		if ping, ok := m.(wire.Ping); ok {
			return wire.Append(nil, wire.Pong(ping))
		}
		return []byte{}
	}}
	for name, talk := range map[string]func(net.Conn){
		"and closes": func(c net.Conn) {
			mute.talk(&firstOnly{Conn: c})
		},
		"and is silent": func(c net.Conn) {
			mute.talk(&firstOnly{Conn: c, keep: true})
		},
		"and pongs": func(c net.Conn) {
			mute.talk(&withoutData{Conn: c})
		},
		"and closes within a segment": func(c net.Conn) {
			actor{data: data, name: "f.bin"}.talk(&cutShort{Conn: c, left: 10 << 10})
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.script(1, 0, 10*time.Millisecond, talk)
				r := w.download(1, waitFor(time.Minute)).noServer().between(time.Minute, 3*time.Minute).empty()
				if lines := strings.Count(r.stderr.String(), "\n"); lines > 500 {
					t.Errorf("%d lines on stderr", lines)
				}
			})
		})
	}
}

// firstOnly lets one message through, and then closes or keeps silent.
type firstOnly struct {
	net.Conn
	keep, done bool
}

func (c *firstOnly) Write(p []byte) (int, error) {
	switch {
	case !c.done:
		c.done = true
		return c.Conn.Write(p)
	case c.keep:
		return len(p), nil
	}
	return 0, net.ErrClosed
}

// cutShort lets so many bytes through, and then closes.
type cutShort struct {
	net.Conn
	left int
}

func (c *cutShort) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p[:min(len(p), c.left)])
	if c.left -= n; err == nil && n < len(p) {
		err = net.ErrClosed
	}
	return n, err
}

// withoutData lets everything through but DATA.
type withoutData struct{ net.Conn }

func (c *withoutData) Write(p []byte) (int, error) {
	if len(p) > 0 && wire.Type(p[0]) == wire.TypeData {
		return len(p), nil
	}
	return c.Conn.Write(p)
}
