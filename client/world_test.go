package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"lukechampine.com/blake3"

	"braid/client"
	"braid/segment"
	"braid/server"
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

const (
	kB = 1000
	MB = 1000 * kB
)

// world is a bubble of virtual time with a network, servers and a folder.
type world struct {
	t     *testing.T
	net   *memNet
	dir   string
	ctx   context.Context
	tasks sync.WaitGroup
	begun time.Time
	disk  func(*segment.Part) func(run segment.Run, data []byte) error // nil: an ordinary one
	warns chan string                                                  // what the transport warns of
}

// inWorld runs a test in virtual time. All that was started ends with it.
func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	t.Parallel()
	inWorldAlone(t, test)
}

// inWorldAlone is inWorld for tests that are not run beside others.
func inWorldAlone(t *testing.T, test func(w *world)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		w := &world{t: t, net: newMemNet(), dir: dir, ctx: ctx, begun: time.Now()}
		defer w.tasks.Wait()
		defer cancel()
		test(w)
	})
}

func (w *world) now() time.Duration { return time.Since(w.begun) }

// at does something at a time of the world.
func (w *world) at(when time.Duration, do func()) {
	w.tasks.Go(func() {
		select {
		case <-time.After(when - w.now()):
			do()
		case <-w.ctx.Done():
		}
	})
}

// content is size bytes that depend on seed.
func content(size int, seed byte) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// file writes a file and returns its path; each call makes a folder of its own.
func (w *world) file(name string, data []byte) string {
	w.t.Helper()
	dir, err := os.MkdirTemp(w.dir, "server")
	if err != nil {
		w.t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o666); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func address(k int) string { return fmt.Sprintf("h:%d", 9000+k) }

// host adds the machine of server k, without a server.
func (w *world) host(k int, rate float64, delay time.Duration) *memHost {
	return w.net.host(address(k), rate, delay)
}

// serve runs the real server k on a machine of its own.
func (w *world) serve(k int, path string, rate float64, delay time.Duration, change ...func(*server.Config)) *memHost {
	h := w.host(k, rate, delay)
	w.serveOn(h, k, path, nil, change...)
	return h
}

func (w *world) serveOn(h *memHost, k int, path string, stdin io.Reader, change ...func(*server.Config)) {
	cfg := server.Config{
		Interval: time.Second, Servers: 1, Files: []string{path}, Ports: []int{9000 + k}, Limits: []int64{0},
		MaxConns: 1024, Report: "none",
	}
	for _, f := range change {
		f(&cfg)
	}
	env := server.Env{Stdin: stdin, Stdout: io.Discard, Stderr: io.Discard, Transport: memTransport{w.net, h}}
	w.tasks.Go(func() {
		if err := server.Run(w.ctx, cfg, env); err != nil {
			w.t.Errorf("server %d: %v", k, err)
		}
	})
	synctest.Wait()
}

// script runs a server that is none of ours: it talks to each connection as it
// likes, and what it returns from is closed.
func (w *world) script(k int, rate float64, delay time.Duration, talk func(c net.Conn)) *memHost {
	h := w.host(k, rate, delay)
	l, _ := memTransport{w.net, h}.Listen(w.ctx, h.addr)
	context.AfterFunc(w.ctx, func() { l.Close() })
	w.tasks.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(w.ctx, func() { c.Close() })
			w.tasks.Go(func() {
				defer stop()
				defer c.Close()
				talk(c)
			})
		}
	})
	return h
}

// lockedBuffer is an output that can be looked at while it is written.
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

// run is a run of the client.
type run struct {
	w      *world
	cfg    client.Config
	cancel context.CancelFunc
	done   chan struct{}
	begun  time.Time

	stdout, stderr lockedBuffer
	took           time.Duration
	err            error
}

// giveUp is when a client that hangs is interrupted, so that its test fails.
const giveUp = 3 * time.Hour

// out is where the world's clients put their file.
func (w *world) out() string { return filepath.Join(w.dir, "out") }

// env is a client's, without its outputs.
func (w *world) env() client.Env {
	env := client.Env{Transport: memTransport{net: w.net}, Warnings: w.warns}
	if w.disk != nil {
		env = env.OnDisk(w.disk)
	}
	return env
}

// start runs a client of servers 1 to n.
func (w *world) start(n int, change ...func(*client.Config)) *run {
	r := &run{w: w, done: make(chan struct{}), begun: time.Now()}
	r.cfg = client.Config{
		Interval: 500 * time.Millisecond, Output: w.out(), Wait: 10 * time.Minute, Report: "json", Progress: "never", Transport: "tcp",
		Streams: 1, // the search for a better number is tried in streams_test.go
	}
	for k := range n {
		r.cfg.Addresses = append(r.cfg.Addresses, "h")
		r.cfg.Ports = append(r.cfg.Ports, 9001+k)
	}
	for _, f := range change {
		f(&r.cfg)
	}
	env := w.env()
	env.Stdout, env.Stderr = &r.stdout, &r.stderr
	ctx, cancel := context.WithTimeout(w.ctx, max(giveUp, 2**soak))
	r.cancel = cancel
	w.tasks.Go(func() {
		defer close(r.done)
		defer cancel()
		r.err = client.Run(ctx, r.cfg, env)
		r.took = time.Since(r.begun)
	})
	return r
}

// wait waits for the end of the run.
func (r *run) wait() *run {
	<-r.done
	return r
}

// download runs a client of servers 1 to n to its end.
func (w *world) download(n int, change ...func(*client.Config)) *run {
	return w.start(n, change...).wait()
}

// reported is a line of --report json.
type reported struct {
	Type                         string
	Elapsed, Left                float64
	Size, Bytes, Resumed, Wasted int64
	Speed                        float64
	Path, BLAKE3                 string
	Servers                      []struct {
		Number  int
		Bytes   int64
		Speed   float64
		State   string
		Streams int
	}
}

// blocks is what the client has reported so far.
func (r *run) blocks() (all []reported) {
	r.w.t.Helper()
	for line := range strings.Lines(r.stdout.String()) {
		var b reported
		if err := json.Unmarshal([]byte(line), &b); err != nil {
			r.w.t.Fatalf("%s: %v", line, err)
		}
		all = append(all, b)
	}
	return all
}

// result is the last line of a run that went well.
func (r *run) result() reported {
	r.w.t.Helper()
	all := r.blocks()
	if len(all) == 0 || all[len(all)-1].Type != "result" {
		r.w.t.Fatalf("no result in %q", r.stdout.String())
	}
	return all[len(all)-1]
}

// from is how many bytes came from server k, from 1.
func (r *run) from(k int) int64 {
	r.w.t.Helper()
	return r.result().Servers[k-1].Bytes
}

// complete holds a run that must have ended well: the file is byte by byte
// what it should be, nothing else is left, and the sums are right.
func (r *run) complete(name string, want []byte) *run {
	t := r.w.t
	t.Helper()
	if r.err != nil {
		t.Fatalf("after %v: %v\n%s", r.took, r.err, r.stderr.String())
	}
	got, err := os.ReadFile(filepath.Join(r.cfg.Output, name))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("the file of %d bytes is not the one served, of %d", len(got), len(want))
	}
	r.nothingPartial()
	if r.cfg.Report != "json" {
		return r
	}
	result := r.result()
	sum := result.Resumed
	for _, s := range result.Servers {
		sum += s.Bytes
	}
	if hash := blake3.Sum256(want); sum != int64(len(want)) || result.BLAKE3 != fmt.Sprintf("%x", hash) {
		t.Errorf("servers and resumed add up to %d of %d bytes, digest %s, want %x", sum, len(want), result.BLAKE3, hash)
	}
	return r
}

// failedWith holds that a run has ended with an error of type E, whose text names parts.
func failedWith[E error](r *run, parts []string) *run {
	r.w.t.Helper()
	var want E
	if !errors.As(r.err, &want) {
		r.w.t.Fatalf("after %v: %v, want a %T\n%s", r.took, r.err, want, r.stderr.String())
	}
	return r.says(parts...)
}

// says holds that the error of a run names parts.
func (r *run) says(parts ...string) *run {
	r.w.t.Helper()
	for _, part := range parts {
		if !strings.Contains(r.err.Error(), part) {
			r.w.t.Errorf("%q does not name %q", r.err, part)
		}
	}
	return r
}

// nothingPartial holds that no part and no state file is in the folder.
func (r *run) nothingPartial() {
	r.w.t.Helper()
	for _, pattern := range []string{"*.part", "*.part.state"} {
		if left, _ := filepath.Glob(filepath.Join(r.cfg.Output, pattern)); len(left) > 0 {
			r.w.t.Errorf("left over: %v", left)
		}
	}
}

// within holds that the run took no longer than a multiple of the fluid limit:
// size over the sum of the rates, in bytes and bytes/s.
func (r *run) within(factor float64, size int, rates ...float64) *run {
	r.w.t.Helper()
	sum := 0.0
	for _, rate := range rates {
		sum += rate
	}
	limit := float64(size) / sum
	if took := r.took.Seconds(); took > factor*limit {
		r.w.t.Errorf("took %.2f s, %.2f times the %.2f s of the fluid limit\n%s", took, took/limit, limit, r.stderr.String())
	}
	return r
}

// wasted holds that no more than so many bytes arrived in vain.
func (r *run) wasted(limit int64) *run {
	r.w.t.Helper()
	if got := r.result().Wasted; got > limit {
		r.w.t.Errorf("%d bytes wasted, want at most %d", got, limit)
	}
	return r
}

// told holds how often stderr has a text.
func (r *run) told(text string, times int) *run {
	r.w.t.Helper()
	if got := strings.Count(r.stderr.String(), text); got != times {
		r.w.t.Errorf("%q is on stderr %d times, want %d:\n%s", text, got, times, r.stderr.String())
	}
	return r
}

// mentioned holds that stderr has a text.
func (r *run) mentioned(text string) *run {
	r.w.t.Helper()
	if !strings.Contains(r.stderr.String(), text) {
		r.w.t.Errorf("%q is not on stderr:\n%s", text, r.stderr.String())
	}
	return r
}
