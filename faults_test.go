package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"braid/client"
	"braid/server"
	"braid/transport"
	"braid/wire"
)

// faultLimit is for what takes a moment on a machine that is not busy.
const faultLimit = 30 * time.Second

// TestFaults holds servers and client together to what must not matter, over
// every transport there is.
func TestFaults(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Run("transports", func(t *testing.T) {
		for _, name := range transport.Builtin().Names() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				testFaults(t, name)
			})
		}
	})
	if err := goleak.Find(before); err != nil {
		t.Errorf("left over: %v", err)
	}
}

func testFaults(t *testing.T, transport string) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *rig)
	}{
		{"small file", faultNone},
		{"failover", faultFailover},
		{"restart", faultRestart},
		{"resume", faultResume},
		{"silence", faultSilence},
		{"another copy", faultOther},
		{"corruption", faultCorrupt},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, transport, "")
			defer r.close()
			test.run(t, r)
		})
	}
}

// rig is a few servers, and what clients need to reach them.
type rig struct {
	t       *testing.T
	data    []byte // of the file
	folder  string
	output  string
	servers transport.Transport
	clients transport.Transport
	faulty  *faultyTransport
	ports   []int
	console io.WriteCloser
	stderr  lockedBuffer
	cancel  context.CancelFunc
	ended   chan error
}

func newRig(t *testing.T, name, key string) *rig {
	t.Helper()
	r := &rig{t: t, folder: t.TempDir(), output: t.TempDir(), servers: open(t, name, key)}
	if r.clients = r.servers; key == "" { // deriving a key takes its time
		r.clients = open(t, name, key)
	}
	r.faulty = &faultyTransport{Transport: r.servers, until: make(chan struct{})}
	return r
}

func open(t *testing.T, name, key string) transport.Transport {
	t.Helper()
	tr, err := transport.Builtin().New(name, transport.Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// file makes a file of n bytes that do not compress, and returns its path.
func (r *rig) file(n int) string {
	r.t.Helper()
	r.data = make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(r.data)
	return r.write("one", r.data)
}

func (r *rig) write(folder string, data []byte) string {
	r.t.Helper()
	path := filepath.Join(r.folder, folder, "data.bin")
	err := os.MkdirAll(filepath.Dir(path), 0o777)
	if err = errors.Join(err, os.WriteFile(path, data, 0o666)); err != nil {
		r.t.Fatal(err)
	}
	return path
}

// serve starts a server for each of files, each with the limit in bytes/s.
func (r *rig) serve(limit int64, files ...string) {
	r.t.Helper()
	ports := freePortsOf(r.t, len(files))
	ctx, cancel := context.WithCancel(context.Background())
	keyboard, console := io.Pipe()
	alive := &firstWrite{w: io.Discard, done: make(chan struct{})}
	r.faulty.port = ports[0]
	r.ports, r.console, r.cancel, r.ended = ports, console, cancel, make(chan error, 1)
	cfg := server.Config{
		Interval: time.Hour, Servers: len(files), Files: files, Ports: ports, Bind: "127.0.0.1",
		MaxConns: 64, Report: "text",
	}
	for range files {
		cfg.Limits = append(cfg.Limits, limit)
	}
	go func() {
		r.ended <- server.Run(ctx, cfg, server.Env{Stdin: keyboard, Stdout: alive, Stderr: &r.stderr, Transport: r.faulty})
		keyboard.Close()
	}()
	select {
	case <-alive.done:
	case err := <-r.ended:
		r.t.Fatalf("the servers: %v\n%s", err, &r.stderr)
	case <-time.After(faultLimit):
		r.t.Fatal("the servers do not start")
	}
}

// command types a line at the servers' console.
func (r *rig) command(line string) { io.WriteString(r.console, line+"\n") }

func (r *rig) close() {
	r.faulty.unmute()
	r.cancel() // after serve
	r.console.Close()
	if err := <-r.ended; err != nil {
		r.t.Errorf("the servers: %v", err)
	}
	closeTransport(r.servers)
	closeTransport(r.clients)
}

// download runs a client; when it has read so many bytes, midway is called with the address of the
// server that the last of them came from. It returns the client's stderr and error.
func (r *rig) download(ctx context.Context, change func(*client.Config), at int, midway func(net.Addr)) (string, error) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, faultLimit)
	defer cancel()
	var stderr lockedBuffer
	cfg := client.Config{
		Interval: time.Hour, Output: r.output, Ports: r.ports, Wait: 10 * time.Second, Streams: 1,
		Report: "text", Progress: "never",
	}
	for range r.ports {
		cfg.Addresses = append(cfg.Addresses, "127.0.0.1")
	}
	if change != nil {
		change(&cfg)
	}
	if midway == nil {
		midway = func(net.Addr) {}
	}
	err := client.Run(ctx, cfg, client.Env{
		Stdout: io.Discard, Stderr: &stderr,
		Transport: &meter{Transport: r.clients, at: int64(max(at, 1)), reached: midway},
	})
	return stderr.String(), err
}

// complete fails unless err is nil and the file is there.
func (r *rig) complete(err error, stderr string) {
	r.t.Helper()
	if err != nil {
		r.t.Errorf("%v\nclient:\n%s\nservers:\n%s", err, stderr, &r.stderr)
		return
	}
	got, err := os.ReadFile(filepath.Join(r.output, "data.bin"))
	if err != nil || !bytes.Equal(got, r.data) {
		r.t.Errorf("the file: %d bytes, %v, want the %d of the servers", len(got), err, len(r.data))
	}
}

func (r *rig) told(stderr, want string) {
	r.t.Helper()
	if !strings.Contains(stderr, want) {
		r.t.Errorf("stderr has no %q:\n%s", want, stderr)
	}
}

func faultNone(t *testing.T, r *rig) {
	path := r.file(100)
	r.serve(0, path, path)
	stderr, err := r.download(t.Context(), nil, 0, nil)
	r.complete(err, stderr)
}

// What the other tests move: a few tenths of a second of work.
const (
	faultSize  = 300_000
	faultSpeed = 500_000 // of each server, bytes/s
)

// faultFailover shuts a server down that has sent something: on a busy machine another one may not even be connected.
func faultFailover(t *testing.T, r *rig) {
	path := r.file(faultSize)
	r.serve(faultSpeed/5, path, path, path) // so slow that it is missed on a busy machine, too
	var fallen string
	stderr, err := r.download(t.Context(), nil, faultSize*2/5, func(from net.Addr) {
		i := slices.IndexFunc(r.ports, func(port int) bool { return from.String() == fmt.Sprintf("127.0.0.1:%d", port) })
		r.command(fmt.Sprintf("E%d", i+1))
		fallen = fmt.Sprintf("Server %d (%v): ", i+1, from)
	})
	r.complete(err, stderr)
	r.told(stderr, fallen+"lost")
}

// faultRestart shuts all servers down, and starts one of them again.
func faultRestart(t *testing.T, r *rig) {
	path := r.file(faultSize)
	r.serve(faultSpeed, path, path)
	stderr, err := r.download(t.Context(), nil, faultSize*2/5, func(net.Addr) {
		r.command("E1")
		r.command("E2")
		r.command("S1")
	})
	r.complete(err, stderr)
	r.told(stderr, "rejoined")
	if strings.Contains(r.stderr.String(), "dead") {
		t.Errorf("the server did not get its port again:\n%s", &r.stderr)
	}
}

func faultResume(t *testing.T, r *rig) {
	path := r.file(faultSize)
	r.serve(faultSpeed, path, path)
	ctx, cancel := context.WithCancel(t.Context())
	stderr, err := r.download(ctx, nil, faultSize/2, func(net.Addr) { cancel() })
	var interrupted *client.InterruptedError
	if !errors.As(err, &interrupted) {
		t.Fatalf("the first run: %v, want *client.InterruptedError\n%s", err, stderr)
	}
	stderr, err = r.download(t.Context(), func(c *client.Config) { c.Resume = true }, 0, nil)
	r.complete(err, stderr)
	r.told(stderr, "resumed: ")
	if strings.Contains(stderr, "resumed: 0 of") {
		t.Errorf("nothing was kept:\n%s", stderr)
	}
}

// faultSilence has server 1 fall silent without a word; its connection stays.
func faultSilence(t *testing.T, r *rig) {
	path := r.file(faultSize)
	r.serve(faultSpeed, path, path)
	begun := time.Now()
	stderr, err := r.download(t.Context(), nil, faultSize*2/5, r.faulty.on)
	r.complete(err, stderr)
	if r.faulty.held.Load() == 0 {
		t.Error("the server has never been silent: nothing was tested")
	}
	if took := time.Since(begun); took > faultLimit/2 {
		t.Errorf("it took %v", took)
	}
}

// faultCorrupt has server 1 greet as the others do, and send another byte in every message: none of
// that is written, and it is told of.
func faultCorrupt(t *testing.T, r *rig) {
	path := r.file(faultSize)
	r.faulty.spoil.Store(true)
	r.serve(faultSpeed/5, path, path, path) // so slow that the liar has its say on a busy machine, too
	stderr, err := r.download(t.Context(), nil, 0, nil)
	r.complete(err, stderr)
	r.told(stderr, fmt.Sprintf("Server 1 (127.0.0.1:%d): sent corrupt data", r.ports[0]))
	for i, port := range r.ports[1:] {
		if line := fmt.Sprintf("Server %d (127.0.0.1:%d): sent corrupt data", i+2, port); strings.Contains(stderr, line) {
			t.Errorf("an honest server is blamed:\n%s", stderr)
		}
	}
	if r.faulty.spoiled.Load() == 0 {
		t.Error("nothing was corrupt: nothing was tested")
	}
}

// faultOther has a server whose copy differs in a byte: it is told apart
// before a byte of it is used.
func faultOther(t *testing.T, r *rig) {
	path := r.file(faultSize)
	other := bytes.Clone(r.data)
	other[len(other)/2] ^= 1
	r.serve(faultSpeed/5, path, r.write("two", other), path) // so slow that all are asked on a busy machine, too
	stderr, err := r.download(t.Context(), nil, 0, nil)
	r.complete(err, stderr)
	r.told(stderr, fmt.Sprintf("Server 2 (127.0.0.1:%d): holds another file", r.ports[1]))
}

// faultyTransport listens; what is written on its port goes nowhere while it is on, or
// is another file's.
type faultyTransport struct {
	transport.Transport
	port    int // set before it is on
	muted   atomic.Bool
	held    atomic.Int32 // writes that went nowhere
	until   chan struct{}
	once    sync.Once
	spoil   atomic.Bool
	spoiled atomic.Int32 // messages
}

func (m *faultyTransport) on(net.Addr) { m.muted.Store(true) }

// unmute is for the end: it frees the writes that are held.
func (m *faultyTransport) unmute() { m.once.Do(func() { close(m.until) }) }

func (m *faultyTransport) Listen(ctx context.Context, addr string) (net.Listener, error) {
	l, err := m.Transport.Listen(ctx, addr)
	if err != nil {
		return nil, err
	}
	return faultyListener{l, m}, nil
}

type faultyListener struct {
	net.Listener
	faulty *faultyTransport
}

func (l faultyListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return faultyConn{c, l.faulty, port == strconv.Itoa(l.faulty.port)}, nil
}

type faultyConn struct {
	net.Conn
	faulty *faultyTransport
	mine   bool // the silent server's
}

func (c faultyConn) Write(p []byte) (int, error) {
	if c.mine && c.faulty.muted.Load() {
		c.faulty.held.Add(1)
		<-c.faulty.until
		return 0, errors.New("was silent")
	}
	if c.mine && c.faulty.spoil.Load() && wire.Type(p[0]) == wire.TypeData {
		c.faulty.spoiled.Add(1)
		p = bytes.Clone(p)
		p[len(p)-1] ^= 1
	}
	return c.Conn.Write(p)
}

func (c faultyConn) SetLinger(sec int) error {
	return c.Conn.(interface{ SetLinger(int) error }).SetLinger(sec)
}

func (c faultyConn) CloseWrite() error {
	return c.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

// lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestMismatchedTransports has a client of every transport meet a server of
// every other one: it ends soon, in words, with exit code 6; or where neither side
// hears the other, UDP here and TCP there, 5.
func TestMismatchedTransports(t *testing.T) {
	names := transport.Builtin().Names()
	for _, serving := range names {
		t.Run(serving, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, serving, "")
			r.serve(0, r.file(1000))
			t.Cleanup(r.close)
			for _, dialling := range names {
				if dialling == serving {
					continue
				}
				t.Run(dialling, func(t *testing.T) {
					t.Parallel()
					checkMismatch(t, r.ports, serving, dialling)
				})
			}
		})
	}
}

func checkMismatch(t *testing.T, ports []int, serving, dialling string) {
	r := &rig{t: t, output: t.TempDir(), ports: ports, clients: open(t, dialling, "")}
	defer closeTransport(r.clients)
	want, wait := codeRefused, faultLimit
	if strings.HasPrefix(serving, "quic") != strings.HasPrefix(dialling, "quic") {
		want, wait = codeNoServer, 300*time.Millisecond
	}
	begun := time.Now()
	stderr, err := r.download(t.Context(), func(c *client.Config) { c.Wait = wait }, 0, nil)
	if got := exitCode(err); err == nil || got != want {
		t.Errorf("exit code %d, want %d: %v\n%s", got, want, err, stderr)
	} else if want == codeRefused && !strings.Contains(err.Error(), "--transport must be the same on both sides") {
		t.Errorf("not in words: %v", err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestKeysThatDoNotMatch is about the lines on either side and the exit code; that
// nothing of the file is told is held in the transport package.
func TestKeysThatDoNotMatch(t *testing.T) {
	for _, name := range []string{"tls", "quic", "tls+zstd", "quic+zstd"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, name, "the servers' key")
			r.serve(0, r.file(1000))
			defer r.close()
			stderr, err := r.download(t.Context(), nil, 0, nil)
			r.complete(err, stderr)
			checkStrangers(t, r, name)
		})
	}
}

func checkStrangers(t *testing.T, r *rig, name string) {
	for key, line := range map[string]string{"": "the other side has no key", "a\tcompletely different one": "the other side has another key"} {
		c := &rig{t: t, output: t.TempDir(), ports: r.ports, clients: open(t, name, key)}
		_, err := c.download(t.Context(), nil, 0, nil)
		closeTransport(c.clients)
		if exitCode(err) != codeRefused || !strings.Contains(err.Error(), "BRAID_KEY must be the same on both sides") {
			t.Errorf("%q: exit code %d, %v", key, exitCode(err), err)
		}
		// The server's line is not in step with the client's end.
		for begun := time.Now(); !strings.Contains(r.stderr.String(), line); time.Sleep(time.Millisecond) {
			if time.Since(begun) > faultLimit {
				t.Fatalf("%q: the server does not tell of it: no %q in:\n%s", key, line, &r.stderr)
			}
		}
		for _, told := range []string{err.Error(), r.stderr.String()} {
			if strings.Contains(told, "the servers' key") || key != "" && strings.Contains(told, key) {
				t.Errorf("a secret is told: %s", told)
			}
		}
	}
}
