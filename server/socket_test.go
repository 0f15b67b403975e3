package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"braid/segment"
	"braid/transport"
	"braid/wire"
)

// socketLimit is how long a test waits for what loopback does at once.
const socketLimit = 20 * time.Second

// freePorts finds ports below those that systems give to outgoing connections.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range 200 {
		port := 20_000 + rand.IntN(10_000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		defer l.Close()
		if ports = append(ports, port); len(ports) == n {
			return ports
		}
	}
	t.Fatal("no free port")
	return nil
}

// startTCP starts n servers on loopback sockets.
func startTCP(t *testing.T, path string, n int, change func(*Config)) (*running, []int) {
	t.Helper()
	tcp, err := transport.Builtin().New("tcp", transport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(path, n)
	cfg.Bind, cfg.Ports = "127.0.0.1", freePorts(t, n)
	if change != nil {
		change(&cfg)
	}
	r := start(t, cfg, tcp)
	t.Cleanup(r.stop)
	r.await(func() bool { return r.stdout.last() != "" })
	return r, cfg.Ports
}

// await waits for something that another goroutine does at once.
func (r *running) await(done func() bool) {
	r.t.Helper()
	for limit := time.Now().Add(socketLimit); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			r.t.Fatalf("in vain; stdout %q, stderr %q", r.stdout.String(), r.stderr.String())
		}
	}
}

func dialTCP(t *testing.T, port int) *client {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	c := newClient(t, conn, err)
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(socketLimit))
	return c
}

// closed reports whether nothing listens on a port.
func closed(port int) bool {
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err == nil {
		c.Close()
	}
	return err != nil
}

// Eight clients at once by sendfile, each with its own place in the file.
func TestSendfile(t *testing.T) {
	const size = 3<<20 + 3
	path, data := newFile(t, size)
	_, ports := startTCP(t, path, 2, nil)
	var clients sync.WaitGroup
	for k := range 8 {
		c := dialTCP(t, ports[k%2])
		clients.Go(func() {
			w := c.greet(wire.Hello{Part: uint32(k), Parts: 8, Max: 1 << 30})
			share := segment.Share(w.Layout, k, 8, 1<<30)
			from, n := int(w.Layout.Offset(share.First)), int(w.Layout.RunBytes(share))
			if !bytes.Equal(c.file(0, from, n), data[from:from+n]) {
				t.Errorf("share %d came wrong", k)
			}
			c.say(wire.GetManifest{})
			values := c.manifest(int(segment.ManifestSize(w.Layout)))
			if _, err := segment.NewManifest(w.Layout, w.Root, values); err != nil {
				t.Error(err)
			}
			// The second half is asked for after the PING: its end comes after the PONG, however late the PING is read.
			half := w.Layout.Count() / 2
			c.say(wire.Request{ID: 1, Run: segment.Run{Count: half}}, wire.Ping{},
				wire.Request{ID: 2, Run: segment.Run{First: half, Count: w.Layout.Count() - half}})
			pongs := 0
			for next := int64(0); next < size; {
				switch m := c.next().(type) {
				case wire.Pong:
					pongs++
				case wire.Data:
					b, err := io.ReadAll(c.r)
					if err != nil || m.Offset != next || !bytes.Equal(b, data[next:next+int64(m.Len)]) {
						t.Errorf("wrong bytes at %d: %v", m.Offset, err)
						return
					}
					next += int64(m.Len)
				}
			}
			if pongs != 1 {
				t.Errorf("%d PONGs before the end", pongs)
			}
		})
	}
	clients.Wait()
}

// E cuts connections as a crash does and closes the port; S opens the same port.
func TestShutDownAndStartAgain(t *testing.T) {
	path, data := newFile(t, 1<<20)
	r, ports := startTCP(t, path, 2, func(c *Config) { c.Limits[0] = 100_000 })
	for round := range 3 {
		busy, idle, silent := dialTCP(t, ports[0]), dialTCP(t, ports[0]), dialTCP(t, ports[0])
		other := dialTCP(t, ports[1])
		busy.greet(wire.Hello{Parts: 1, Max: 1 << 20})
		idle.greet(wire.Hello{})
		idle.manifest(64 * 32)
		other.greet(wire.Hello{})
		other.manifest(64 * 32)
		r.enter("e1\n")
		r.await(func() bool { return r.stderr.count("shut down\n") == round+1 })
		for name, c := range map[string]*client{"busy": busy, "idle": idle, "silent": silent} {
			if _, err := io.Copy(io.Discard, c); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: got %v, want a connection that is reset", name, err)
			}
		}
		if !closed(ports[0]) {
			t.Error("the port is open still")
		}
		other.say(wire.Request{ID: 1, Run: segment.Run{Count: 64}})
		if !bytes.Equal(other.file(1, 0, 1<<20), data) {
			t.Error("the other server suffered")
		}
		r.enter("s1\n")
		r.await(func() bool { return r.stderr.count("started\n") == round+1 })
		c := dialTCP(t, ports[0])
		c.greet(wire.Hello{Parts: 1, Max: 1})
		c.manifest(64 * 32)
		if !bytes.Equal(c.file(0, 0, 16<<10), data[:16<<10]) {
			t.Error("wrong bytes")
		}
	}
}

func TestTakenPort(t *testing.T) {
	path, _ := newFile(t, 5)
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	taken := other.Addr().(*net.TCPAddr).Port
	r, ports := startTCP(t, path, 2, func(c *Config) { c.Ports[0] = taken })
	dialTCP(t, ports[1]).greet(wire.Hello{})
	if got := r.stderr.String(); !strings.HasPrefix(got, fmt.Sprintf("Server 1 (port %d): dead: ", taken)) || strings.Count(got, "\n") != 1 {
		t.Errorf("stderr %q", got)
	}
	if got := r.stdout.last(); !strings.Contains(got, "Status: dead, To Shutdown Server 1 Enter: E1\n") || !strings.Contains(got, "Status: alive, To Shutdown Server 2 Enter: E2\n") {
		t.Errorf("status %s", got)
	}
}

func TestNoPortAtAll(t *testing.T) {
	path, _ := newFile(t, 5)
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	cfg := config(path, 1)
	cfg.Bind, cfg.Ports = "127.0.0.1", []int{other.Addr().(*net.TCPAddr).Port}
	tcp, err := transport.Builtin().New("tcp", transport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := Run(t.Context(), cfg, Env{Stdout: io.Discard, Stderr: io.Discard, Transport: tcp}); !errors.Is(err, errNoneAlive) {
		t.Errorf("got %v", err)
	}
}

// Last words must arrive though the client has said more than the server reads:
// a socket that is closed over unread data resets the connection.
func TestLastWords(t *testing.T) {
	path, _ := newFile(t, 5)
	_, ports := startTCP(t, path, 1, nil)
	flood := strings.Repeat("x", 300_000)

	c := dialTCP(t, ports[0])
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: localhost\r\n\r\n"+flood)
	if got, err := io.ReadAll(c); string(got) != wire.StrangerLine || err != nil {
		t.Errorf("a browser reads %q, %v", got, err)
	}

	c = dialTCP(t, ports[0])
	io.WriteString(c, "braid\r\n\x02"+flood)
	if err := c.r.Preface(); err != nil {
		t.Fatal(err)
	}
	c.refused(wire.BadVersion)

	c = dialTCP(t, ports[0])
	c.greet(wire.Hello{})
	c.manifest(32)
	c.write(append(wire.Append(nil, wire.Hello{}), flood...))
	c.refused(wire.BadRequest)

	c = dialTCP(t, ports[0])
	c.greet(wire.Hello{})
	c.manifest(32)
	c.write(append(wire.Append(nil, wire.Request{ID: 1, Run: segment.Run{Count: 2}}), bytes.Repeat(wire.Append(nil, wire.Ping{}), 20_000)...))
	c.refused(wire.BadRequest)

	// Who closes its side before it has said anything is told too.
	c = dialTCP(t, ports[0])
	c.Conn.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(c); string(got) != wire.StrangerLine || err != nil {
		t.Errorf("nc </dev/null reads %q, %v", got, err)
	}
}

func TestBusySocket(t *testing.T) {
	path, _ := newFile(t, 5)
	_, ports := startTCP(t, path, 1, func(c *Config) { c.MaxConns = 1 })
	held := dialTCP(t, ports[0])
	held.greet(wire.Hello{})
	for range 20 {
		c := dialTCP(t, ports[0])
		c.write(wire.Append(preface(), wire.Hello{Parts: 1, Max: 5}))
		if err := c.r.Preface(); err != nil {
			t.Fatal(err)
		}
		c.refused(wire.Busy)
	}
}

// A file that shrinks under sendfile ends the connection, and soon. What is in the
// socket's queue are the pages of the file itself, of which the kernel clears what
// was cut off: zeros may come, which the client's check of the segment finds.
func TestTruncatedUnderSendfile(t *testing.T) {
	const size = 16 << 20
	path, data := newFile(t, size)
	r, ports := startTCP(t, path, 1, nil)
	c := dialTCP(t, ports[0])
	c.greet(wire.Hello{Parts: 1, Max: size})
	for range 4 {
		c.next()
	}
	if err := os.Truncate(path, 1000); err != nil {
		t.Fatal(err)
	}
	var end error
	for end == nil {
		m, err := c.r.Next()
		if err != nil {
			end = err
			break
		}
		switch m := m.(type) {
		case wire.Data:
			b, err := io.ReadAll(c.r)
			for i := range b {
				if b[i] != data[m.Offset+int64(i)] && b[i] != 0 {
					t.Fatalf("byte %d is %#x, never in the file", m.Offset+int64(i), b[i])
				}
			}
			end = err
		case wire.Refuse:
			if m.Code != wire.Changed {
				t.Errorf("refused with %v", m)
			}
			end = io.EOF
		}
	}
	if errors.Is(end, os.ErrDeadlineExceeded) {
		t.Error("left to wait")
	}
	r.await(func() bool {
		return r.stderr.count(path+": the file has changed since it was hashed; it refuses clients") == 1
	})
	again := dialTCP(t, ports[0])
	again.write(wire.Append(preface(), wire.Hello{}))
	if err := again.r.Preface(); err != nil {
		t.Fatal(err)
	}
	again.refused(wire.Changed)
}

func TestSignalCutsSockets(t *testing.T) {
	path, _ := newFile(t, 8<<20)
	tcp, err := transport.Builtin().New("tcp", transport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 1)
	cfg := config(path, 1)
	cfg.Bind, cfg.Ports = "127.0.0.1", ports
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout, stderr output
	done := make(chan error, 1)
	go func() { done <- Run(ctx, cfg, Env{Stdout: &stdout, Stderr: &stderr, Transport: tcp}) }()
	r := &running{t: t}
	r.await(func() bool { return stdout.last() != "" })
	reads, deaf := dialTCP(t, ports[0]), dialTCP(t, ports[0])
	reads.greet(wire.Hello{Parts: 1, Max: 8 << 20})
	deaf.greet(wire.Hello{Parts: 1, Max: 8 << 20})
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(socketLimit):
		t.Fatal("it goes on")
	}
	for _, c := range []*client{reads, deaf} {
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("a connection is open still")
		}
	}
	if !closed(ports[0]) {
		t.Error("the port is open still")
	}
}
