package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"braid/wire"
)

func TestMain(m *testing.M) {
	// What the caller has set for braid is not for the tests.
	for _, set := range os.Environ() {
		if name, _, _ := strings.Cut(set, "="); strings.HasPrefix(name, "BRAID_") {
			os.Unsetenv(name)
		}
	}
	goleak.VerifyTestMain(m)
}

// memory is a transport of pipes: for tests in virtual time.
type memory struct {
	mu        sync.Mutex
	listeners map[string]*memoryListener
}

type memoryListener struct {
	conns  chan net.Conn
	closed chan struct{}
	close  func() error
}

func (m *memory) Listen(_ context.Context, addr string) (net.Listener, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.listeners[addr] != nil {
		return nil, fmt.Errorf("%s: address already in use", addr)
	}
	l := &memoryListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	l.close = sync.OnceValue(func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.listeners, addr)
		close(l.closed)
		return nil
	})
	if m.listeners == nil {
		m.listeners = map[string]*memoryListener{}
	}
	m.listeners[addr] = l
	return l, nil
}

func (m *memory) dial(port int) (net.Conn, error) {
	m.mu.Lock()
	l := m.listeners[fmt.Sprintf(":%d", port)]
	m.mu.Unlock()
	if l == nil {
		return nil, errors.New("connection refused")
	}
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.closed:
		return nil, errors.New("connection refused")
	}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error   { return l.close() }
func (l *memoryListener) Addr() net.Addr { return &net.TCPAddr{} }

// output is a stdout or stderr that remembers when each write came.
type output struct {
	mu     sync.Mutex
	writes []string
	times  []time.Time
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writes, o.times = append(o.writes, string(p)), append(o.times, time.Now())
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.writes, "")
}

func (o *output) count(s string) int { return strings.Count(o.String(), s) }

// last is the last write, "" before the first.
func (o *output) last() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.writes) == 0 {
		return ""
	}
	return o.writes[len(o.writes)-1]
}

// running is a server under test.
type running struct {
	t              testing.TB
	path           string // of the first server's file
	stdin          *io.PipeWriter
	stdout, stderr output
	cancel         context.CancelFunc
	done           chan error
}

// config is that of n servers of one file on ports from 9001.
func config(path string, n int) Config {
	c := Config{Interval: time.Hour, Servers: n, MaxConns: 1024, Report: "text"}
	for k := range n {
		c.Files, c.Ports, c.Limits = append(c.Files, path), append(c.Ports, 9001+k), append(c.Limits, 0)
	}
	return c
}

// start runs a server. The test must stop it, inside its bubble if it has one.
func start(t testing.TB, cfg Config, tr Transport) *running {
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t: t, path: cfg.Files[0], cancel: cancel, done: make(chan error, 1)}
	var stdin *io.PipeReader
	stdin, r.stdin = io.Pipe()
	go func() {
		r.done <- Run(ctx, cfg, Env{Stdin: stdin, Stdout: &r.stdout, Stderr: &r.stderr, Transport: tr})
	}()
	return r
}

// stop ends the server as a signal does, and fails the test if it complains.
func (r *running) stop() {
	r.t.Helper()
	r.stdin.Close()
	r.cancel()
	if err := <-r.done; err != nil {
		r.t.Errorf("the server ended with %v", err)
	}
}

func (r *running) enter(line string) {
	r.t.Helper()
	if _, err := io.WriteString(r.stdin, line); err != nil {
		r.t.Error(err)
	}
}

// newFile writes a file of size bytes in which no two places are alike.
func newFile(t testing.TB, size int) (path string, data []byte) {
	t.Helper()
	path, data = filepath.Join(t.TempDir(), "film.avi"), content(size, 0)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, data
}

func content(size int, seed byte) []byte {
	data := make([]byte, size)
	for i := range data {
		data[i] = seed + byte(i) ^ byte(i>>8)*31 ^ byte(i>>16)*17
	}
	return data
}

// client speaks to a server under test.
type client struct {
	t testing.TB
	net.Conn
	r *wire.Reader
}

func newClient(t testing.TB, conn net.Conn, err error) *client {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return &client{t: t, Conn: conn, r: wire.NewReader(conn, wire.Server)}
}

// dial connects to a server in memory.
func (m *memory) client(t testing.TB, port int) *client {
	t.Helper()
	conn, err := m.dial(port)
	return newClient(t, conn, err)
}

func (c *client) say(messages ...wire.Message) {
	c.t.Helper()
	var b []byte
	for _, m := range messages {
		b = wire.Append(b, m)
	}
	c.write(b)
}

func (c *client) write(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

func preface() []byte {
	p := wire.Preface()
	return p[:]
}

// greet says hello and returns the welcome.
func (c *client) greet(hello wire.Hello) wire.Welcome {
	c.t.Helper()
	c.write(wire.Append(preface(), hello))
	if err := c.r.Preface(); err != nil {
		c.t.Fatal(err)
	}
	w, ok := c.next().(wire.Welcome)
	if !ok {
		c.t.Fatal("no WELCOME")
	}
	return w
}

// next reads a message.
func (c *client) next() wire.Message {
	c.t.Helper()
	m, err := c.r.Next()
	if err != nil {
		c.t.Fatalf("reading a message: %v", err)
	}
	return m
}

// manifest reads size bytes of manifest.
func (c *client) manifest(size int) []byte {
	c.t.Helper()
	var all []byte
	for len(all) < size {
		m, ok := c.next().(wire.Manifest)
		if !ok || m.Offset != int64(len(all)) {
			c.t.Fatalf("got %T at %d, want a manifest at %d", m, m.Offset, len(all))
		}
		all = append(all, m.Values...)
	}
	return all
}

// file reads the DATA of a request: from the offset, so many bytes.
func (c *client) file(id uint32, offset, size int) []byte {
	c.t.Helper()
	var all bytes.Buffer
	for all.Len() < size {
		m := c.next()
		d, ok := m.(wire.Data)
		if !ok || d.ID != id || d.Offset != int64(offset+all.Len()) {
			c.t.Fatalf("got %#v, want DATA of %d at %d", m, id, offset+all.Len())
		}
		if _, err := io.Copy(&all, c.r); err != nil {
			c.t.Fatal(err)
		}
	}
	if all.Len() != size {
		c.t.Fatalf("got %d bytes, want %d", all.Len(), size)
	}
	return all.Bytes()
}

// refused reads to the end, which a refusal of that code must come before.
func (c *client) refused(code wire.Code) string {
	c.t.Helper()
	for {
		m := c.next()
		refusal, ok := m.(wire.Refuse)
		if !ok {
			continue
		}
		if refusal.Code != code {
			c.t.Fatalf("refused with %v (%s), want %v", refusal.Code, refusal.Text, code)
		}
		if m, err := c.r.Next(); err != io.EOF {
			c.t.Fatalf("after the refusal: %v, %v, want the end", m, err)
		}
		return refusal.Text
	}
}

// gone fails unless the server has closed the connection without another word.
func (c *client) gone() {
	c.t.Helper()
	if m, err := c.r.Next(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatalf("got %#v, %v, want a closed connection", m, err)
	}
}
