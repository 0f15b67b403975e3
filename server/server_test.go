package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"braid/segment"
	"braid/wire"
)

// block is a text status block; alive tells of each server.
func block(alive ...bool) string {
	var b strings.Builder
	for k, up := range alive {
		n := string(rune('1' + k))
		b.WriteString("Server " + n + ": Port: 900" + n + " Status: " + map[bool]string{true: "alive", false: "dead"}[up] +
			", To Shutdown Server " + n + " Enter: E" + n + "\n")
	}
	return b.String()
}

func TestStatusBlocks(t *testing.T) {
	path, _ := newFile(t, 10)
	for _, interval := range []time.Duration{500 * time.Millisecond, 2 * time.Second, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			cfg := config(path, 3)
			cfg.Interval = interval
			begun := time.Now()
			r := start(t, cfg, &memory{})
			time.Sleep(4*interval + interval/2)
			r.stop()
			var want []time.Time
			for k := range time.Duration(5) {
				want = append(want, begun.Add(k*interval))
			}
			if !reflect.DeepEqual(r.stdout.times, want) {
				t.Errorf("interval %v: blocks at %v, want %v", interval, r.stdout.times, want)
			}
			for _, got := range r.stdout.writes {
				if got != block(true, true, true) {
					t.Errorf("got\n%s", got)
				}
			}
			if got := r.stderr.String(); got != "" {
				t.Errorf("stderr %q", got)
			}
		})
	}
}

func TestStatusJSON(t *testing.T) {
	path, _ := newFile(t, 50_000)
	synctest.Test(t, func(t *testing.T) {
		cfg := config(path, 2)
		cfg.Report, cfg.Interval = "json", time.Second
		m := &memory{}
		r := start(t, cfg, m)
		synctest.Wait()
		c := m.client(t, 9002)
		c.greet(wire.Hello{Parts: 1, Max: 50_000})
		c.manifest(4 * 32)
		c.file(0, 0, 50_000)
		c.say(wire.Request{ID: 1, Run: segment.Run{First: 3, Count: 1}})
		c.file(1, 49152, 848)
		r.enter("e1\n")
		time.Sleep(time.Second)
		synctest.Wait()
		c.Close()
		r.enter("E2\nS2\n")
		time.Sleep(time.Second)
		r.stop()
		type server struct {
			Number, Port int
			Alive        bool
			Connections  int
			Sent         int `json:"bytes_sent"`
		}
		for k, want := range [][]server{
			{{1, 9001, true, 0, 0}, {2, 9002, true, 0, 0}},
			{{1, 9001, false, 0, 0}, {2, 9002, true, 1, 50_848}},
			{{1, 9001, false, 0, 0}, {2, 9002, true, 0, 50_848}}, // of both its lives
		} {
			var got struct {
				Type    string
				Servers []server
			}
			if err := json.Unmarshal([]byte(r.stdout.writes[k]), &got); err != nil || got.Type != "status" || !reflect.DeepEqual(got.Servers, want) {
				t.Errorf("got %s, %v, want %v", r.stdout.writes[k], err, want)
			}
			if !strings.HasSuffix(r.stdout.writes[k], "}\n") || strings.Count(r.stdout.writes[k], "\n") != 1 {
				t.Errorf("%q is not a line", r.stdout.writes[k])
			}
		}
	})
}

func TestConsole(t *testing.T) {
	const help = "commands: E1…E3 shut a server down, S1…S3 start it again, Q ends the program\n"
	path, _ := newFile(t, 10)
	synctest.Test(t, func(t *testing.T) {
		cfg := config(path, 3)
		cfg.Interval = time.Second
		r := start(t, cfg, &memory{})
		synctest.Wait()
		for _, step := range []struct {
			line, says string
			alive      []bool
		}{
			{"E2\n", "Server 2 (port 9002): shut down\n", []bool{true, false, true}},
			{"E2\n", "Server 2 (port 9002): is shut down already\n", []bool{true, false, true}},
			{"e3\r\n", "Server 3 (port 9003): shut down\n", []bool{true, false, false}},
			{" \t s2 \n", "Server 2 (port 9002): started\n", []bool{true, true, false}},
			{"S2\n", "Server 2 (port 9002): is running already\n", []bool{true, true, false}},
			{"E 1\n", "Server 1 (port 9001): shut down\n", []bool{false, true, false}},
			{"E02\n", "Server 2 (port 9002): shut down\n", []bool{false, false, false}},
			{"S1\nS3\n", "Server 1 (port 9001): started\nServer 3 (port 9003): started\n", []bool{true, false, true}},
			{"\n\r\n  \t\n", help + help + help, []bool{true, false, true}},
			{"E4\n", help, []bool{true, false, true}},
			{"E0\n", help, []bool{true, false, true}},
			{"E\n", help, []bool{true, false, true}},
			{"E-1\n", help, []bool{true, false, true}},
			{"E+1\n", help, []bool{true, false, true}},
			{"E1 E3\n", help, []bool{true, false, true}},
			{"E99999999999999999999\n", help, []bool{true, false, true}},
			{"QQ\n", help, []bool{true, false, true}},
			{"Q1\n", help, []bool{true, false, true}},
			{"ſ2\n", help, []bool{true, false, true}},
			{"\x00\xff\x1b[2J\n", help, []bool{true, false, true}},
			{strings.Repeat("E1", 100_000) + "\n", help, []bool{true, false, true}},
			{"E1" + strings.Repeat(" ", 100_000) + "\n", help, []bool{true, false, true}},
		} {
			before := r.stderr.String()
			r.enter(step.line)
			time.Sleep(time.Second)
			synctest.Wait()
			says := strings.TrimPrefix(r.stderr.String(), before)
			if !sameLines(says, step.says) {
				t.Errorf("%.20q: stderr %q, want %q", step.line, says, step.says)
			}
			if got := r.stdout.last(); got != block(step.alive...) {
				t.Errorf("%.20q: status\n%s", step.line, got)
			}
		}
		r.enter("E1") // the last line needs no end
		r.stdin.Close()
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := r.stdout.last(); got != block(false, false, true) {
			t.Errorf("after the end of input: status\n%s", got)
		}
		select {
		case err := <-r.done:
			t.Fatalf("the end of input ended the server: %v", err)
		default:
		}
		r.stop()
	})
}

// inPieces is an input that comes in pieces: an error ends it for now.
type inPieces []any

func (p *inPieces) Read(b []byte) (int, error) {
	if len(*p) == 0 {
		return 0, io.EOF
	}
	next := (*p)[0]
	*p = (*p)[1:]
	if err, ok := next.(error); ok {
		return 0, err
	}
	return copy(b, next.(string)), nil
}

// Ctrl-D does not cost the console of a terminal, nor `echo E1 >pipe` that of a named pipe: what comes
// later is heeded, too.
func TestInputGoesOn(t *testing.T) {
	path, _ := newFile(t, 10)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // if Q is not heeded
		defer cancel()
		stdin := &inPieces{"E1\n", io.EOF, io.EOF, "E2", io.EOF, "\n", syscall.EIO, "S", "1\nx", "y\n", io.EOF, "Q\n"}
		var stdout, stderr output
		if err := Run(ctx, config(path, 2), Env{Stdin: stdin, Stdout: &stdout, Stderr: &stderr, Transport: &memory{}}); err != nil {
			t.Error(err)
		}
		if ctx.Err() != nil {
			t.Error("Q did not end it")
		}
		want := "Server 1 (port 9001): shut down\nServer 2 (port 9002): shut down\nServer 1 (port 9001): started\n" + strings.Repeat(help(2)+"\n", 2)
		if got := stderr.String(); !sameLines(got, want) {
			t.Errorf("stderr %q, want %q", got, want)
		}
	})
}

func TestHelpOfOne(t *testing.T) {
	inBubble(t, 5, nil, func(t *testing.T, _ *memory, r *running, _ []byte) {
		r.enter("E2\n")
		synctest.Wait()
		if got := r.stderr.String(); got != "commands: E1 shuts the server down, S1 starts it again, Q ends the program\n" {
			t.Errorf("stderr %q", got)
		}
	})
}

// sameLines compares lines in any order: two starts do not wait for each other.
func sameLines(a, b string) bool {
	count := map[string]int{}
	for _, line := range strings.SplitAfter(a, "\n") {
		count[line]++
	}
	for _, line := range strings.SplitAfter(b, "\n") {
		count[line]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

func TestQuit(t *testing.T) {
	for _, line := range []string{"Q\n", "q", " q \r\n"} {
		inBubble(t, 1<<20, nil, func(t *testing.T, m *memory, r *running, _ []byte) {
			c := m.client(t, 9001)
			defer c.Close()
			c.greet(wire.Hello{})
			c.manifest(64 * 32)
			r.enter(line)
			r.stdin.Close()
			if err := <-r.done; err != nil {
				t.Errorf("ended with %v", err)
			}
			r.done <- nil
			c.gone()
			if _, err := m.dial(9001); err == nil {
				t.Error("the port is open still")
			}
		})
	}
}

// No stdin at all is as good as one at its end.
func TestNoStdin(t *testing.T) {
	path, _ := newFile(t, 10)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var stdout, stderr output
		err := Run(ctx, config(path, 1), Env{Stdout: &stdout, Stderr: &stderr, Transport: &memory{}})
		if err != nil || ctx.Err() == nil {
			t.Errorf("ended early, with %v", err)
		}
	})
}

// The end of the context cuts everything, whatever each connection is busy with.
func TestEndOfContext(t *testing.T) {
	path, _ := newFile(t, 1<<20)
	synctest.Test(t, func(t *testing.T) {
		cfg := config(path, 2)
		cfg.Limits[1] = 1000
		m := &memory{}
		r := start(t, cfg, m)
		synctest.Wait()
		var clients []*client
		add := func(port int) *client {
			c := m.client(t, port)
			clients = append(clients, c)
			return c
		}
		add(9001)                                           // has said nothing
		add(9001).write(preface()[:5])                      // half a preface
		add(9001).greet(wire.Hello{})                       // idle
		add(9001).greet(wire.Hello{Parts: 1, Max: 1 << 20}) // does not read
		add(9002).greet(wire.Hello{Parts: 1, Max: 1 << 20}) // the limit holds
		clients[3].say(wire.Hello{})                        // has broken a rule
		clients[4].say(wire.GetManifest{}, wire.Ping{})     // asks much
		for k := range 4 {                                  // a queue
			clients[2].say(wire.Request{ID: uint32(k + 1), Run: segment.Run{Count: 64}})
		}
		begun := time.Now()
		r.stop()
		if took := time.Since(begun); took > goodbye {
			t.Errorf("it took %v", took)
		}
		for k, c := range clients {
			// What is under way may arrive; then the connection is cut.
			if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("client %d: %v", k, err)
			}
			c.Close()
		}
	})
}

func TestPortTaken(t *testing.T) {
	path, data := newFile(t, 5)
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		other, err := m.Listen(t.Context(), ":9002")
		if err != nil {
			t.Fatal(err)
		}
		cfg := config(path, 3)
		cfg.Interval = time.Second
		r := start(t, cfg, m)
		defer r.stop()
		synctest.Wait()
		if got := r.stdout.last(); got != block(true, false, true) {
			t.Errorf("status\n%s", got)
		}
		if got := r.stderr.String(); got != "Server 2 (port 9002): dead: :9002: address already in use\n" {
			t.Errorf("stderr %q", got)
		}
		for _, port := range []int{9001, 9003} {
			c := m.client(t, port)
			c.greet(wire.Hello{Parts: 1, Max: 5})
			c.manifest(32)
			if !bytes.Equal(c.file(0, 0, 5), data) {
				t.Errorf("port %d: wrong bytes", port)
			}
			c.Close()
		}
		r.enter("S2\n")
		time.Sleep(time.Second)
		synctest.Wait()
		if n := r.stderr.count("address already in use\n"); n != 2 {
			t.Errorf("stderr %q", r.stderr.String())
		}
		other.Close()
		r.enter("S2\n")
		time.Sleep(time.Second)
		synctest.Wait()
		if got := r.stdout.last(); got != block(true, true, true) {
			t.Errorf("status\n%s", got)
		}
	})
}

func TestNoneAlive(t *testing.T) {
	path, _ := newFile(t, 5)
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		for _, addr := range []string{":9001", ":9002"} {
			if _, err := m.Listen(t.Context(), addr); err != nil {
				t.Fatal(err)
			}
		}
		r := start(t, config(path, 2), m)
		if err := <-r.done; !errors.Is(err, errNoneAlive) {
			t.Errorf("got %v", err)
		}
		if got := r.stdout.String(); got != "" {
			t.Errorf("stdout %q", got)
		}
		if n := r.stderr.count("dead: "); n != 2 {
			t.Errorf("stderr %q", r.stderr.String())
		}
		r.stdin.Close()
	})
}

func TestFileIsGoneAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, config(filepath.Join(t.TempDir(), "none"), 1), &memory{})
		if err := <-r.done; !errors.Is(err, errNoneAlive) || r.stderr.count("dead: open ") != 1 {
			t.Errorf("got %v, stderr %q", err, r.stderr.String())
		}
		r.stdin.Close()
	})
}

// slowStart is a transport on which listening takes a minute.
type slowStart struct {
	memory
	slow chan bool // a value in it: the next time is slow
}

func (s *slowStart) Listen(ctx context.Context, addr string) (net.Listener, error) {
	select {
	case <-s.slow:
		select {
		case <-time.After(time.Minute):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	default:
	}
	return s.memory.Listen(ctx, addr)
}

// E and S count while a server is being started too: the last one wins.
func TestCommandsWhileStarting(t *testing.T) {
	path, _ := newFile(t, 5)
	for _, test := range []struct {
		typed string
		alive bool
		says  string
	}{
		{"S1\n", true, "started\n"},
		{"S1\nS1\n", true, "is being started already\nstarted\n"},
		{"S1\nE1\n", false, "shut down\n"},
		{"S1\nE1\nE1\n", false, "shut down\nis shut down already\n"},
		{"S1\nE1\nS1\n", true, "shut down\nstarted\n"},
		{"S1\nE1\nS1\nS1\nE1\n", false, ""},
		{"S1\nE1\nS1\nE1\nS1\n", true, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &slowStart{slow: make(chan bool, 1)}
			r := start(t, config(path, 1), s)
			defer r.stop()
			synctest.Wait()
			r.enter("E1\n")
			synctest.Wait()
			before := r.stderr.String()
			s.slow <- true
			r.enter(test.typed)
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			c, err := s.dial(9001)
			if (err == nil) != test.alive {
				t.Errorf("%q: alive: %v", test.typed, err == nil)
			}
			if err == nil {
				c.Close()
			}
			says := strings.ReplaceAll(strings.TrimPrefix(r.stderr.String(), before), "Server 1 (port 9001): ", "")
			if test.says != "" && says != test.says {
				t.Errorf("%q: %q, want %q", test.typed, says, test.says)
			}
		})
	}
}

// The console is heeded while the files are hashed, which takes minutes if they are large: help comes
// at once, and the last one of E and S counts when the hashing is done.
func TestCommandsWhileHashing(t *testing.T) {
	const help = "commands: E1…E2 shut a server down, S1…S2 start it again, Q ends the program\n"
	path, _ := newFile(t, 10)
	broken := errors.New("input/output error")
	for _, test := range []struct {
		typed  string
		says   string // at once
		hashed error
		alive  []bool // nil: it ends, as none is
		later  string // what it says after the hashing
	}{
		{typed: "", alive: []bool{true, true}},
		{typed: "nonsense", says: help, alive: []bool{true, true}},
		{typed: "E2", says: "Server 2 (port 9002): shut down\n", alive: []bool{true, false}},
		{typed: "E2 E2", says: "Server 2 (port 9002): shut down\nServer 2 (port 9002): is shut down already\n", alive: []bool{true, false}},
		{typed: "S2", says: "Server 2 (port 9002): is being started already\n", alive: []bool{true, true}},
		{typed: "E2 S2", says: "Server 2 (port 9002): shut down\n", alive: []bool{true, true}, later: "Server 2 (port 9002): started\n"},
		{typed: "E2 S2 S2 E2", alive: []bool{true, false}},
		{typed: "E1 E2", alive: []bool{false, false}}, // as they were told
		{typed: "", hashed: broken, later: "Server 1 (port 9001): dead: input/output error\nServer 2 (port 9002): dead: input/output error\n"},
		{typed: "E2", hashed: broken, alive: []bool{false, false}, later: "Server 1 (port 9001): dead: input/output error\n"},
	} {
		t.Run(test.typed, func(t *testing.T) {
			source, err := segment.OpenSource(t.Context(), path, nil)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				var stdout, stderr output
				h, err := newHost(config(path, 2), Env{Stdout: &stdout, Stderr: &stderr, Transport: &memory{}})
				if err != nil {
					t.Fatal(err)
				}
				commands, done := make(chan command), make(chan error, 1)
				go func() { done <- h.run(ctx, commands) }()
				time.Sleep(ahead)
				for _, line := range strings.Fields(test.typed) {
					commands <- parseCommand(line, 2)
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				if got := stderr.String(); test.says != "" && got != test.says {
					t.Errorf("while hashing it said %q, want %q", got, test.says)
				}
				if got := stdout.String(); got != "" {
					t.Errorf("a block came before the servers were started:\n%s", got)
				}
				before := stderr.String()
				h.hashed <- hashed{path: path, source: source, err: test.hashed}
				synctest.Wait()
				if later := strings.TrimPrefix(stderr.String(), before); later != test.later {
					t.Errorf("after the hashing it said %q, want %q", later, test.later)
				}
				if test.alive != nil && stdout.String() != block(test.alive...) {
					t.Errorf("status\n%s", stdout.String())
				}
				cancel()
				err = <-done
				h.close()
				if test.alive == nil && !errors.Is(err, errNoneAlive) || test.alive != nil && err != nil {
					t.Errorf("ended with %v", err)
				}
			})
		})
	}
}

// A server with a copy of its own does not wait for those of the others; the first block does.
func TestHashedOneByOne(t *testing.T) {
	path, _ := newFile(t, 10)
	source, err := segment.OpenSource(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cfg := config(path, 2)
		cfg.Files[1] = path + "2"
		var stdout, stderr output
		m := &memory{}
		h, err := newHost(cfg, Env{Stdout: &stdout, Stderr: &stderr, Transport: m})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- h.run(ctx, nil) }()
		h.hashed <- hashed{path: path, source: source}
		synctest.Wait()
		c := m.client(t, 9001)
		c.greet(wire.Hello{})
		c.Close()
		if _, err := m.dial(9002); err == nil || stdout.String() != "" {
			t.Errorf("server 2 answers (%v), or a block came: %q", err, stdout.String())
		}
		h.hashed <- hashed{path: path + "2", err: errors.New("input/output error")}
		synctest.Wait()
		if got := stdout.String(); got != block(true, false) {
			t.Errorf("status\n%s", got)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		h.close()
	})
}

// Q ends a server whose files are still being hashed, too.
func TestQuitWhileHashing(t *testing.T) {
	path, _ := newFile(t, 0)
	if err := os.Truncate(path, 1<<40); err != nil {
		t.Skip("no file with a hole of a terabyte here:", err)
	}
	r := start(t, config(path, 2), &memory{})
	defer r.stop()
	defer time.AfterFunc(socketLimit, func() { r.stdin.Close() }).Stop() // or nobody would take the lines
	r.enter("nonsense\nE2\n")
	r.await(func() bool {
		return r.stderr.count("commands: ") == 1 && r.stderr.count("Server 2 (port 9002): shut down\n") == 1
	})
	r.enter("Q\n")
	select {
	case err := <-r.done:
		r.done <- err
	case <-time.After(socketLimit):
		t.Error("it does not end")
	}
	if got := r.stdout.String(); got != "" {
		t.Errorf("stdout %q", got)
	}
}

// What a script has typed before the first block is for servers that are started.
func TestTypedAhead(t *testing.T) {
	path, _ := newFile(t, 1<<20)
	synctest.Test(t, func(t *testing.T) {
		var stdout, stderr output
		err := Run(t.Context(), config(path, 2), Env{Stdin: strings.NewReader("E2\nQ\n"), Stdout: &stdout, Stderr: &stderr, Transport: &memory{}})
		if err != nil {
			t.Error(err)
		}
		if got := stdout.String(); got != block(true, true) {
			t.Errorf("status\n%s", got)
		}
		if got := stderr.String(); got != "Server 2 (port 9002): shut down\n" {
			t.Errorf("stderr %q", got)
		}
	})
}

func TestMaxConns(t *testing.T) {
	inBubble(t, 5, func(c *Config) { c.MaxConns = 2 }, func(t *testing.T, m *memory, r *running, data []byte) {
		var held []*client
		for range 2 {
			c := m.client(t, 9001)
			c.greet(wire.Hello{})
			c.manifest(32)
			held = append(held, c)
		}
		for range 3000 { // a flood is no reason to tell of each
			c := m.client(t, 9001)
			if err := c.r.Preface(); err != nil {
				t.Fatal(err)
			}
			if text := c.refused(wire.Busy); !strings.Contains(text, "2 connections") {
				t.Fatalf("told %q", text)
			}
			c.Close()
		}
		if n := r.stderr.count("\n"); n > 20 {
			t.Errorf("%d lines on stderr", n)
		}
		// The held ones do not suffer, and when one leaves there is room.
		held[0].Close()
		synctest.Wait()
		for _, c := range []*client{held[1], m.client(t, 9001)} {
			if c != held[1] {
				c.greet(wire.Hello{})
				c.manifest(32)
			}
			c.say(wire.Request{ID: 1, Run: segment.Run{Count: 1}})
			if !bytes.Equal(c.file(1, 0, 5), data) {
				t.Error("wrong bytes")
			}
			c.Close()
		}
	})
}

// Refused clients that do not read their refusal hold neither the port nor the server.
func TestFloodOfRefused(t *testing.T) {
	inBubble(t, 5, func(c *Config) { c.MaxConns = 1 }, func(t *testing.T, m *memory, r *running, _ []byte) {
		first := m.client(t, 9001)
		defer first.Close()
		begun := time.Now()
		for range 1000 {
			c := m.client(t, 9001)
			defer c.Close()
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("accepting took %v", took)
		}
		first.greet(wire.Hello{})
	})
}

func TestOwnCopies(t *testing.T) {
	folder := t.TempDir()
	for k, name := range []string{"a.avi", "b.avi"} {
		if err := os.WriteFile(filepath.Join(folder, name), content(1000, byte(k)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		cfg := config(filepath.Join(folder, "a.avi"), 2)
		cfg.Files[1] = filepath.Join(folder, "b.avi")
		m := &memory{}
		r := start(t, cfg, m)
		defer r.stop()
		synctest.Wait()
		for k, name := range []string{"a.avi", "b.avi"} {
			c := m.client(t, 9001+k)
			if w := c.greet(wire.Hello{Parts: 1, Max: 1000}); w.Name != name {
				t.Errorf("welcomed to %q", w.Name)
			}
			c.manifest(32)
			if !bytes.Equal(c.file(0, 0, 1000), content(1000, byte(k))) {
				t.Errorf("%s: wrong bytes", name)
			}
			c.Close()
		}
	})
}

// A file that is not what it was is refused: to whom is being served, and to
// whom comes anew. S after E serves what is there now.
func TestFileChanges(t *testing.T) {
	const size = 300_000
	for _, test := range []struct {
		name   string
		change func(path string) error
		after  int // the size of what is there then; -1: nothing
	}{
		{"written to", func(path string) error {
			return errors.Join(os.WriteFile(path, content(size, 7), 0o600), os.Chtimes(path, time.Time{}, time.Unix(1e9, 0)))
		}, size},
		{"grown", func(path string) error { return os.WriteFile(path, content(size+1, 7), 0o600) }, size + 1},
		{"truncated", func(path string) error { return os.Truncate(path, 100) }, 100},
		{"emptied", func(path string) error { return os.Truncate(path, 0) }, 0},
		{"deleted", os.Remove, -1},
		{"replaced", func(path string) error {
			return errors.Join(os.WriteFile(path+"2", content(size, 7), 0o600), os.Rename(path+"2", path))
		}, size},
		{"a folder", func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }, -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, size, func(c *Config) { c.Limits[0], c.Interval = 10_000, time.Second }, func(t *testing.T, m *memory, r *running, _ []byte) {
				served := m.client(t, 9001)
				defer served.Close()
				path := r.path
				served.greet(wire.Hello{Parts: 1, Max: size})
				served.manifest(19 * 32)
				served.next()
				if err := test.change(path); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				served.refused(wire.Changed)
				for range 3 {
					c := m.client(t, 9001)
					c.write(wire.Append(preface(), wire.Hello{}))
					if err := c.r.Preface(); err != nil {
						t.Fatal(err)
					}
					if text := c.refused(wire.Changed); strings.Contains(text, "/") {
						t.Errorf("told %q: that names a path of the server's", text)
					}
					c.Close()
				}
				synctest.Wait()
				if n := r.stderr.count("has changed since it was hashed; it refuses"); n != 1 || r.stderr.count("\n") != 1 {
					t.Errorf("stderr %q", r.stderr.String())
				}
				r.enter("E1\nS1\n")
				time.Sleep(time.Second)
				synctest.Wait()
				if test.after < 0 {
					if got := r.stdout.last(); got != block(false) || r.stderr.count("dead: open ") != 1 {
						t.Errorf("status %s, stderr %q", got, r.stderr.String())
					}
					return
				}
				now, err := os.ReadFile(path)
				if err != nil || len(now) != test.after {
					t.Fatal(len(now), err)
				}
				c := m.client(t, 9001)
				defer c.Close()
				w := c.greet(wire.Hello{Parts: 1, Max: size * 2})
				values := c.manifest(int(segment.ManifestSize(w.Layout)))
				if w.Layout.Size != int64(test.after) {
					t.Errorf("welcomed to %d bytes", w.Layout.Size)
				}
				if _, err := segment.NewManifest(w.Layout, w.Root, values); err != nil {
					t.Error(err)
				}
				if !bytes.Equal(c.file(0, 0, test.after), now) {
					t.Error("wrong bytes")
				}
			})
		})
	}
}

// A broken stdout or stderr must not end the server.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestBrokenOutput(t *testing.T) {
	path, data := newFile(t, 5)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		m := &memory{}
		var server sync.WaitGroup
		server.Go(func() {
			cfg := config(path, 1)
			cfg.Interval = time.Second
			if err := Run(ctx, cfg, Env{Stdin: strings.NewReader("nonsense\n"), Stdout: broken{}, Stderr: broken{}, Transport: m}); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(time.Minute)
		c := m.client(t, 9001)
		c.greet(wire.Hello{Parts: 1, Max: 5})
		c.manifest(32)
		if !bytes.Equal(c.file(0, 0, 5), data) {
			t.Error("wrong bytes")
		}
		c.Close()
		cancel()
		server.Wait()
	})
}

// stuck is an output that nobody reads.
type stuck struct{ free chan struct{} }

func (s stuck) Write(b []byte) (int, error) {
	<-s.free
	return len(b), nil
}

// TestNobodyReads holds that the console and a signal are heeded all the same.
func TestNobodyReads(t *testing.T) {
	path, _ := newFile(t, 5)
	for name, end := range map[string]func(keys io.Writer, cancel func()){
		"Q":        func(keys io.Writer, _ func()) { io.WriteString(keys, "Q\n") },
		"a signal": func(_ io.Writer, cancel func()) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				full := stuck{make(chan struct{})}
				defer close(full.free)
				stdin, keys := io.Pipe()
				m, done := &memory{}, make(chan error, 1)
				cfg := config(path, 2)
				cfg.Interval = time.Second
				go func() { done <- Run(ctx, cfg, Env{Stdin: stdin, Stdout: full, Stderr: full, Transport: m}) }()
				time.Sleep(time.Hour)
				io.WriteString(keys, "E2\n")
				time.Sleep(time.Second)
				if _, err := m.dial(9002); err == nil {
					t.Error("server 2 is not shut down")
				}
				end(keys, cancel)
				select {
				case err := <-done:
					if err != nil {
						t.Error(err)
					}
				case <-time.After(time.Minute):
					t.Error("it does not end")
				}
				keys.Close()
			})
		})
	}
}

// TestOneCopyCannotBeHashed is the trouble of one virtual server, which can be started later.
func TestOneCopyCannotBeHashed(t *testing.T) {
	path, _ := newFile(t, 10)
	other := filepath.Join(t.TempDir(), "film.avi")
	synctest.Test(t, func(t *testing.T) {
		cfg := config(path, 2)
		cfg.Files[1], cfg.Interval = other, time.Second
		r := start(t, cfg, &memory{})
		synctest.Wait()
		if got := r.stdout.last(); got != block(true, false) || r.stderr.count("Server 2 (port 9002): dead: open ") != 1 {
			t.Errorf("status %s, stderr %q", got, r.stderr.String())
		}
		if err := os.WriteFile(other, content(10, 0), 0o600); err != nil {
			t.Fatal(err)
		}
		r.enter("S2\n")
		time.Sleep(time.Second)
		synctest.Wait()
		if got := r.stdout.last(); got != block(true, true) {
			t.Errorf("status %s, stderr %q", got, r.stderr.String())
		}
		r.stop()
	})
}
