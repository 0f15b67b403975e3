package server

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"braid/segment"
	"braid/wire"
)

// inBubble runs a test against one server of a file of size bytes, in virtual time.
func inBubble(t *testing.T, size int, change func(*Config), test func(t *testing.T, m *memory, r *running, data []byte)) {
	t.Helper()
	path, data := newFile(t, size)
	synctest.Test(t, func(t *testing.T) {
		cfg := config(path, 1)
		if change != nil {
			change(&cfg)
		}
		m := &memory{}
		r := start(t, cfg, m)
		defer r.stop()
		synctest.Wait()
		test(t, m, r, data)
	})
}

func TestDownload(t *testing.T) {
	for _, size := range []int{0, 1, 16 << 10, 16<<10 + 1, 2<<20 - 1, 2 << 20, 3 << 20} {
		inBubble(t, size, nil, func(t *testing.T, m *memory, _ *running, data []byte) {
			c := m.client(t, 9001)
			defer c.Close()
			w := c.greet(wire.Hello{})
			values := int(segment.ManifestSize(w.Layout))
			if w.Layout != segment.LayoutOf(int64(size)) || w.Name != "film.avi" || w.Manifest != (values <= 4096) {
				t.Fatalf("%d bytes: welcomed with %+v", size, w)
			}
			if !w.Manifest {
				c.say(wire.GetManifest{})
			}
			manifest, err := segment.NewManifest(w.Layout, w.Root, c.manifest(values))
			if err != nil {
				t.Fatal(err)
			}
			if own, err := segment.Hash(t.Context(), bytes.NewReader(data), int64(size), nil); err != nil || own.Root() != manifest.Root() {
				t.Fatalf("%d bytes: root %v, %v, want %v", size, manifest.Root(), err, own.Root())
			}
			if size == 0 {
				return
			}
			c.say(wire.Request{ID: 1, Run: segment.Run{Count: w.Layout.Count()}})
			if !bytes.Equal(c.file(1, 0, size), data) {
				t.Errorf("%d bytes came wrong", size)
			}
		})
	}
}

// The manifest comes unasked up to 4096 bytes, which is 128 segments.
func TestInlineManifest(t *testing.T) {
	for _, test := range []struct {
		segments int
		inline   bool
	}{{128, true}, {129, false}} {
		inBubble(t, test.segments*(16<<10), nil, func(t *testing.T, m *memory, _ *running, _ []byte) {
			c := m.client(t, 9001)
			defer c.Close()
			if w := c.greet(wire.Hello{}); w.Manifest != test.inline {
				t.Fatalf("%d segments: the manifest follows: %v", test.segments, w.Manifest)
			}
			c.say(wire.GetManifest{}) // said before it is known whether it follows anyway
			c.manifest(test.segments * 32)
			c.say(wire.GetManifest{})
			if text := c.refused(wire.BadRequest); !strings.Contains(text, "manifest") {
				t.Errorf("told %q", text)
			}
		})
	}
}

func TestFirstShare(t *testing.T) {
	const segments, size = 10, 9*(16<<10) + 5
	for _, test := range []struct {
		hello       wire.Hello
		first, last int // bytes
	}{
		{wire.Hello{Part: 0, Parts: 1, Max: 1 << 30}, 0, size},
		{wire.Hello{Part: 0, Parts: 1, Max: 1}, 0, 16 << 10},
		{wire.Hello{Part: 0, Parts: 1, Max: 16<<10 + 1}, 0, 32 << 10},
		{wire.Hello{Part: 1, Parts: 3, Max: 1 << 30}, 3 * (16 << 10), 6 * (16 << 10)},
		{wire.Hello{Part: 2, Parts: 3, Max: 1 << 30}, 6 * (16 << 10), size},
		{wire.Hello{Part: 0, Parts: 65535, Max: 1 << 30}, 0, 0},
		{wire.Hello{Part: 65534, Parts: 65535, Max: 1 << 30}, 9 * (16 << 10), size},
		{wire.Hello{Part: 0, Parts: 1, Max: 0}, 0, 0},
		{wire.Hello{}, 0, 0},
	} {
		inBubble(t, size, nil, func(t *testing.T, m *memory, _ *running, data []byte) {
			c := m.client(t, 9001)
			defer c.Close()
			c.greet(test.hello)
			c.manifest(segments * 32)
			if test.last > test.first {
				if got := c.file(0, test.first, test.last-test.first); !bytes.Equal(got, data[test.first:test.last]) {
					t.Errorf("%+v: wrong bytes", test.hello)
				}
			}
			// Nothing but that: what comes next answers a ping.
			c.say(wire.Ping{Token: [8]byte{1}})
			if got := c.next(); got != (wire.Pong{Token: [8]byte{1}}) {
				t.Errorf("%+v: then %#v", test.hello, got)
			}
		})
	}
}

// Requests are answered in their order, the first share before them.
func TestOrder(t *testing.T) {
	inBubble(t, 10*(16<<10), nil, func(t *testing.T, m *memory, _ *running, data []byte) {
		c := m.client(t, 9001)
		defer c.Close()
		c.greet(wire.Hello{Parts: 1, Max: 16 << 10})
		c.manifest(320)
		c.say(wire.Request{ID: 5, Run: segment.Run{First: 7, Count: 3}}, wire.Request{ID: 6, Run: segment.Run{First: 7, Count: 1}},
			wire.Request{ID: 4294967295, Run: segment.Run{First: 1, Count: 2}})
		for _, part := range []struct {
			id         uint32
			first, end int
		}{{0, 0, 1}, {5, 7, 10}, {6, 7, 8}, {4294967295, 1, 3}} {
			from, to := part.first*(16<<10), part.end*(16<<10)
			if !bytes.Equal(c.file(part.id, from, to-from), data[from:to]) {
				t.Errorf("request %d came wrong", part.id)
			}
		}
	})
}

func TestBrokenRules(t *testing.T) {
	whole := segment.Run{Count: 10}
	tooMany := make([]wire.Message, 0, wire.MaxWaiting+2)
	for id := range uint32(wire.MaxWaiting + 2) {
		tooMany = append(tooMany, wire.Request{ID: id + 1, Run: whole})
	}
	for _, test := range []struct {
		name, text string
		messages   []wire.Message
	}{
		{"behind the file", "of a file of 10", []wire.Message{wire.Request{ID: 1, Run: segment.Run{First: 10, Count: 1}}}},
		{"over the end", "of a file of 10", []wire.Message{wire.Request{ID: 1, Run: segment.Run{First: 9, Count: 2}}}},
		{"far behind", "of a file of 10", []wire.Message{wire.Request{ID: 1, Run: segment.Run{First: 4194303, Count: 1}}}},
		{"too long", "of a file of 10", []wire.Message{wire.Request{ID: 1, Run: segment.Run{Count: 4194304}}}},
		{"the same id", "request id 7 after 7", []wire.Message{wire.Request{ID: 7, Run: whole}, wire.Request{ID: 7, Run: whole}}},
		{"a lower id", "request id 6 after 7", []wire.Message{wire.Request{ID: 7, Run: whole}, wire.Cancel{ID: 7}, wire.Request{ID: 6, Run: whole}}},
		{"id 0", "REQUEST 0", []wire.Message{wire.Request{Run: whole}}},
		{"no segments", "REQUEST 1", []wire.Message{wire.Request{ID: 1}}},
		{"the manifest again", "manifest", []wire.Message{wire.GetManifest{}, wire.GetManifest{}}},
		{"HELLO again", "no greeting belongs", []wire.Message{wire.Hello{}}},
		{"too many waiting", "more than 1024 requests", tooMany},
		{"pings without end", "ask for nothing", slices.Repeat([]wire.Message{wire.Ping{}}, idleTalkBurst+idleTalkRate)},
		{"cancels of nothing without end", "ask for nothing", slices.Repeat([]wire.Message{wire.Cancel{ID: 9}}, idleTalkBurst+idleTalkRate)},
		{"cancels that shorten nothing", "ask for nothing", append([]wire.Message{wire.Request{ID: 1, Run: whole}},
			slices.Repeat([]wire.Message{wire.Cancel{ID: 1, Keep: 10}}, idleTalkBurst+idleTalkRate)...)},
		{"a server's message", "wrong side", []wire.Message{wire.Pong{}}},
		{"DATA", "wrong side", []wire.Message{wire.Data{Len: 1}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			slow := func(c *Config) { c.Limits[0] = 10_000 } // so that requests are waiting
			inBubble(t, 10*(16<<10), slow, func(t *testing.T, m *memory, r *running, _ []byte) {
				c := m.client(t, 9001)
				defer c.Close()
				c.greet(wire.Hello{})
				var writer sync.WaitGroup
				defer writer.Wait()
				defer c.Close()
				writer.Go(func() {
					var b []byte
					for _, m := range test.messages {
						b = wire.Append(b, m)
					}
					c.Write(b) // the refusal may cut it short
				})
				if text := c.refused(wire.BadRequest); !strings.Contains(text, test.text) {
					t.Errorf("told %q, want %q in it", text, test.text)
				}
				synctest.Wait()
				if got := r.stderr.String(); !strings.Contains(got, "bad request") || strings.Count(got, "\n") != 1 {
					t.Errorf("stderr %q", got)
				}
			})
		})
	}
}

func TestGreetings(t *testing.T) {
	hello := wire.Append(nil, wire.Hello{})
	for _, test := range []struct {
		name string
		says string
		code wire.Code
		text string
	}{
		{"another version", "braid\r\n\x02", wire.BadVersion, "version 1"},
		{"version 0", "braid\r\n\x00", wire.BadVersion, "version 1"},
		{"a request first", string(preface()) + string(wire.Append(nil, wire.Request{ID: 1, Run: segment.Run{Count: 1}})), wire.BadRequest, "greeting"},
		{"an unknown type", string(preface()) + "\xee\x00\x00\x00", wire.BadRequest, "unknown message type"},
		{"a preface twice", string(preface()) + string(preface()) + string(hello), wire.BadRequest, "unknown message type"},
		{"part 3 of 3", string(preface()) + string(wire.Append(nil, wire.Hello{Part: 3, Parts: 3})), wire.BadRequest, "part 3 of 3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, 100, nil, func(t *testing.T, m *memory, _ *running, _ []byte) {
				c := m.client(t, 9001)
				defer c.Close()
				go io.WriteString(c, test.says) // the server need not read all of it
				if err := c.r.Preface(); err != nil {
					t.Fatal(err)
				}
				if text := c.refused(test.code); !strings.Contains(text, test.text) {
					t.Errorf("told %q", text)
				}
			})
		})
	}
}

func TestStrangers(t *testing.T) {
	for _, says := range []string{"GET / HTTP/1.1\r\n\r\n", "\n", "braid", "braid: hello", "braid\x00\n\x01", "SSH-2.0-OpenSSH\r\n", "\x16\x03\x01", "b\n", "bra\r"} {
		inBubble(t, 100, nil, func(t *testing.T, m *memory, _ *running, _ []byte) {
			c := m.client(t, 9001)
			defer c.Close()
			begun := time.Now()
			go io.WriteString(c, says)
			got, err := io.ReadAll(c)
			known := says != "braid" // which may become a client's preface
			want := ""
			if known {
				want = wire.StrangerLine
			}
			if err != nil || string(got) != want {
				t.Errorf("%q: got %q, %v", says, got, err)
			}
			if waited := time.Since(begun); known != (waited == 0) {
				t.Errorf("%q: told after %v", says, waited)
			}
		})
	}
}

// A connection has ten seconds for its greeting, however it spends them.
func TestHandshakeLimit(t *testing.T) {
	greeting := wire.Append(preface(), wire.Hello{})
	for _, sent := range []int{0, 3, 8, 9, 12, len(greeting) - 1} {
		inBubble(t, 100, nil, func(t *testing.T, m *memory, r *running, _ []byte) {
			c := m.client(t, 9001)
			defer c.Close()
			begun := time.Now()
			for i := range sent { // as slowly as it can
				time.Sleep(9 * time.Second / time.Duration(sent))
				c.write(greeting[i : i+1])
			}
			got, err := io.ReadAll(c)
			if took := time.Since(begun); len(got) > 0 || err != nil || took != handshakeLimit {
				t.Errorf("%d bytes of greeting: %q, %v after %v", sent, got, err, took)
			}
			synctest.Wait()
			if got := r.stderr.String(); got != "Server 1 (port 9001): client pipe: no greeting within 10s\n" {
				t.Errorf("stderr %q", got)
			}
		})
	}
}

// Who comes and goes without a greeting, as a probe does, is not worth a line.
func TestProbe(t *testing.T) {
	for _, says := range []string{"", "bra", string(preface()), string(preface()) + "\x01\x00"} {
		inBubble(t, 100, nil, func(t *testing.T, m *memory, r *running, _ []byte) {
			c := m.client(t, 9001)
			io.WriteString(c, says)
			c.Close()
			synctest.Wait()
			if got := r.stderr.String(); got != "" {
				t.Errorf("%q: stderr %q", says, got)
			}
		})
	}
}

func TestThousandIdleConnections(t *testing.T) {
	inBubble(t, 100, func(c *Config) { c.Interval, c.Report = 9*time.Second, "json" }, func(t *testing.T, m *memory, r *running, _ []byte) {
		for range 1000 {
			c := m.client(t, 9001)
			defer c.Close()
		}
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if got := r.stdout.last(); !strings.Contains(got, `"connections":1000,`) {
			t.Errorf("after 9 s: %s", got)
		}
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if got := r.stdout.last(); !strings.Contains(got, `"connections":0,`) {
			t.Errorf("after 18 s: %s", got)
		}
		if lines := r.stderr.count("\n"); lines > 20 {
			t.Errorf("%d lines on stderr", lines)
		}
	})
}

func TestIdleLimit(t *testing.T) {
	inBubble(t, 100, nil, func(t *testing.T, m *memory, r *running, _ []byte) {
		c := m.client(t, 9001)
		defer c.Close()
		c.greet(wire.Hello{})
		c.manifest(32)
		for range 3 { // each PING begins it anew
			time.Sleep(idleLimit - time.Second)
			c.say(wire.Ping{})
			if c.next() != (wire.Pong{}) {
				t.Fatal("no PONG")
			}
		}
		begun := time.Now()
		c.gone()
		if took := time.Since(begun); took != idleLimit {
			t.Errorf("closed after %v", took)
		}
		if got := r.stderr.String(); got != "" {
			t.Errorf("stderr %q", got)
		}
	})
}

// While something is being sent the limit does not run, and it begins when the
// last of it has been sent, not when the client last spoke.
func TestIdleLimitCountsFromTheLastByte(t *testing.T) {
	const size = 300_000
	inBubble(t, size, func(c *Config) { c.Limits[0] = 1000 }, func(t *testing.T, m *memory, _ *running, data []byte) {
		c := m.client(t, 9001)
		defer c.Close()
		c.greet(wire.Hello{Parts: 1, Max: size})
		c.manifest(19 * 32)
		begun := time.Now()
		if got := c.file(0, 0, size); !bytes.Equal(got, data) {
			t.Error("wrong bytes")
		}
		if took := time.Since(begun); took < 2*idleLimit {
			t.Fatalf("sent within %v: the test needs longer", took)
		}
		begun = time.Now()
		c.gone()
		if took := time.Since(begun); took != idleLimit {
			t.Errorf("closed %v after the last byte", took)
		}
	})
}

// Half a message must not be lost when a time limit passes while data is being sent.
func TestHalfAMessage(t *testing.T) {
	const size = 300_000
	inBubble(t, size, func(c *Config) { c.Limits[0] = 1000 }, func(t *testing.T, m *memory, _ *running, _ []byte) {
		c := m.client(t, 9001)
		defer c.Close()
		c.greet(wire.Hello{Parts: 1, Max: size})
		c.manifest(19 * 32)
		go func() {
			time.Sleep(idleLimit - time.Second)
			ping := wire.Append(nil, wire.Ping{Token: [8]byte{9}})
			c.Write(ping[:2])
			time.Sleep(10 * time.Second)
			c.Write(ping[2:])
		}()
		for {
			m := c.next()
			if m == (wire.Pong{Token: [8]byte{9}}) {
				return
			}
			if _, ok := m.(wire.Data); !ok {
				t.Fatalf("got %#v", m)
			}
		}
	})
}

// A client that does not read is cut when a write has taken a minute, whatever
// it asks for meanwhile.
func TestWriteLimit(t *testing.T) {
	for _, test := range []struct {
		name string
		ask  func(c *client)
	}{
		{"quiet", func(*client) {}},
		{"asks on and on", func(c *client) {
			for id := uint32(1); ; id++ {
				if _, err := c.Write(wire.Append(nil, wire.Request{ID: id, Run: segment.Run{Count: 1}})); err != nil {
					return
				}
			}
		}},
		{"pings on and on", func(c *client) {
			for {
				if _, err := c.Write(wire.Append(nil, wire.Ping{})); err != nil {
					return
				}
			}
		}},
		{"breaks a rule", func(c *client) { c.Write(wire.Append(nil, wire.Hello{})) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, 1<<20, nil, func(t *testing.T, m *memory, r *running, _ []byte) {
				c := m.client(t, 9001)
				defer c.Close()
				c.greet(wire.Hello{Parts: 1, Max: 1 << 20})
				c.manifest(64 * 32)
				begun := time.Now()
				test.ask(c)
				// The end shows in a write: reading would let the server go on.
				for {
					if _, err := c.Write(nil); err != nil {
						break
					}
					if _, err := c.Write([]byte{8}); err != nil {
						break
					}
				}
				if took := time.Since(begun); took < writeLimit-time.Second || took > 2*writeLimit {
					t.Errorf("cut after %v", took)
				}
			})
		})
	}
}

func TestPingComesBetweenTwoMessages(t *testing.T) {
	inBubble(t, 8<<20, nil, func(t *testing.T, m *memory, _ *running, _ []byte) {
		c := m.client(t, 9001)
		defer c.Close()
		c.greet(wire.Hello{Parts: 1, Max: 8 << 20})
		c.say(wire.Ping{Token: [8]byte{1, 2}})
		synctest.Wait() // it has been read, and the sender waits for its reader
		for after := 0; ; after++ {
			if m := c.next(); m == (wire.Pong{Token: [8]byte{1, 2}}) {
				break
			}
			if after == 2 { // one under way, one that was being prepared
				t.Fatal("no PONG between the messages")
			}
		}
	})
}

// A low limit shared by many must not keep a client waiting for its PONG.
func TestPingUnderALowLimit(t *testing.T) {
	inBubble(t, 1<<20, func(c *Config) { c.Limits[0] = 1000 }, func(t *testing.T, m *memory, _ *running, _ []byte) {
		for range 50 {
			c := m.client(t, 9001)
			defer c.Close()
			go func() {
				c.Write(wire.Append(preface(), wire.Hello{Parts: 1, Max: 1 << 20}))
				io.Copy(io.Discard, c)
			}()
		}
		c := m.client(t, 9001)
		defer c.Close()
		c.greet(wire.Hello{Parts: 1, Max: 1 << 20})
		c.manifest(64 * 32)
		time.Sleep(time.Second)
		begun := time.Now()
		c.say(wire.Ping{})
		for c.next() != (wire.Pong{}) {
		}
		if took := time.Since(begun); took > 10*time.Millisecond {
			t.Errorf("PONG after %v", took)
		}
	})
}

func TestCancel(t *testing.T) {
	const seg = 16 << 10
	inBubble(t, 400*seg, nil, func(t *testing.T, m *memory, _ *running, data []byte) {
		c := m.client(t, 9001)
		defer c.Close()
		c.greet(wire.Hello{})
		c.say(wire.Request{ID: 1, Run: segment.Run{Count: 400}}, wire.Request{ID: 2, Run: segment.Run{Count: 100}},
			wire.Request{ID: 3, Run: segment.Run{First: 10, Count: 10}})
		c.say(wire.Cancel{ID: 2, Keep: 0}, wire.Cancel{ID: 3, Keep: 2}, wire.Cancel{ID: 3, Keep: 5}, wire.Cancel{ID: 9, Keep: 0},
			wire.Cancel{ID: 0}, wire.Cancel{ID: 1, Keep: 300}, wire.Cancel{ID: 1, Keep: 2147483647}, wire.Ping{Token: [8]byte{3}})
		last := map[uint32]int{}
		pong := false
		for {
			synctest.Wait()
			switch m := c.next().(type) {
			case wire.Pong:
				if pong = true; m.Token == [8]byte{4} {
					if last[1] != 300*seg || last[2] != 0 || last[3] != 12*seg {
						t.Errorf("sent up to %v", last)
					}
					return
				}
				// Everything has been heeded. Now the one under way.
				c.say(wire.Ping{})
			case wire.Data:
				b, err := io.ReadAll(c.r)
				if err != nil || !bytes.Equal(b, data[m.Offset:m.Offset+int64(m.Len)]) {
					t.Fatalf("wrong bytes at %d: %v", m.Offset, err)
				}
				if last[m.ID] = int(m.Offset) + m.Len; m.ID == 3 && last[3] == 12*seg {
					if !pong {
						t.Error("the PONG came after all data")
					}
					c.say(wire.Ping{Token: [8]byte{4}})
				}
			}
		}
	})
}

// With a limit there is time between two messages: the cancel must be heeded in it.
func TestCancelWhileTheLimitHolds(t *testing.T) {
	inBubble(t, 1<<20, func(c *Config) { c.Limits[0] = 1000 }, func(t *testing.T, m *memory, _ *running, _ []byte) {
		c := m.client(t, 9001)
		defer c.Close()
		c.greet(wire.Hello{Parts: 1, Max: 1 << 20})
		c.manifest(64 * 32)
		for range 5 {
			if _, ok := c.next().(wire.Data); !ok {
				t.Fatal("no DATA")
			}
			io.Copy(io.Discard, c.r)
		}
		synctest.Wait() // the server waits for its limit
		c.say(wire.Cancel{}, wire.Ping{})
		if m := c.next(); m != (wire.Pong{}) {
			t.Errorf("got %#v behind the new end", m)
		}
	})
}

func TestCancelStorm(t *testing.T) {
	inBubble(t, 1<<20, nil, func(t *testing.T, m *memory, _ *running, _ []byte) {
		c := m.client(t, 9001)
		defer c.Close()
		c.greet(wire.Hello{})
		c.manifest(64 * 32)
		var writer sync.WaitGroup
		writer.Go(func() {
			var b []byte
			for id := uint32(1); id <= 5000; id++ {
				b = wire.Append(b, wire.Request{ID: id, Run: segment.Run{Count: 64}})
				for keep := 3; keep >= 0; keep-- {
					b = wire.Append(b, wire.Cancel{ID: id, Keep: keep})
				}
			}
			if _, err := c.Write(wire.Append(b, wire.Ping{Token: [8]byte{1}})); err != nil {
				t.Error(err)
			}
		})
		for c.next() != (wire.Pong{Token: [8]byte{1}}) {
		}
		writer.Wait()
	})
}

// The limit holds from the first second on, idle or not before, and for all clients together.
func TestLimit(t *testing.T) {
	for _, limit := range []int64{5_000, 1_000_000, 8_000_000} {
		for _, clients := range []int{1, 4} {
			inBubble(t, 4<<20, func(c *Config) { c.Limits[0] = limit }, func(t *testing.T, m *memory, _ *running, _ []byte) {
				time.Sleep(5 * time.Second)
				var mu sync.Mutex
				got := map[int]int{} // bytes by second
				begun := time.Now()
				var readers sync.WaitGroup
				defer readers.Wait()
				for range clients {
					c := m.client(t, 9001)
					defer c.Close()
					c.greet(wire.Hello{})
					c.say(wire.GetManifest{})
					c.manifest(256 * 32)
					readers.Go(func() {
						var b []byte
						for id := range uint32(20) {
							b = wire.Append(b, wire.Request{ID: id + 1, Run: segment.Run{Count: 256}})
						}
						c.Write(b)
						for {
							m, err := c.r.Next()
							if err != nil {
								return
							}
							mu.Lock()
							got[int(time.Since(begun)/time.Second)] += m.(wire.Data).Len
							mu.Unlock()
						}
					})
				}
				manifests := time.Since(begun)
				time.Sleep(manifests.Truncate(time.Second) + 3*time.Second - manifests + time.Nanosecond)
				mu.Lock()
				defer mu.Unlock()
				for second := int(manifests/time.Second) + 1; second < int(time.Since(begun)/time.Second); second++ {
					if low, high := int(limit*95/100), int(limit*105/100); got[second] < low || got[second] > high {
						t.Errorf("limit %d, %d clients: %d bytes in second %d", limit, clients, got[second], second)
					}
				}
				if first := int(manifests / time.Second); got[first] > int(limit*105/100) {
					t.Errorf("limit %d, %d clients: %d bytes in the first second", limit, clients, got[first])
				}
			})
		}
	}
}

// Each server has a limit of its own, or none, as --limit with n values says: what one sends is
// not taken from what another one may.
func TestLimitOfEach(t *testing.T) {
	const span = 4 * time.Second
	path, data := newFile(t, 4<<20)
	synctest.Test(t, func(t *testing.T) {
		cfg := config(path, 3)
		cfg.Limits = []int64{200_000, 800_000, 0}
		tr := &memory{}
		r := start(t, cfg, tr)
		defer r.stop()
		synctest.Wait()
		var got [3]atomic.Int64
		var readers sync.WaitGroup
		defer readers.Wait()
		for k := range got {
			c := tr.client(t, cfg.Ports[k])
			defer c.Close()
			c.greet(wire.Hello{})
			c.say(wire.Request{ID: 1, Run: segment.Run{Count: 256}})
			readers.Go(func() {
				for got[k].Load() < int64(len(data)) {
					m, err := c.r.Next()
					if err != nil {
						return
					}
					if d, ok := m.(wire.Data); ok {
						got[k].Add(int64(d.Len))
					}
				}
			})
		}
		time.Sleep(span)
		for k, limit := range cfg.Limits[:2] {
			want := limit * int64(span/time.Second)
			if n := got[k].Load(); n < want*95/100 || n > want*105/100 {
				t.Errorf("server %d: %d bytes in %v, want %d", k+1, n, span, want)
			}
		}
		if n := got[2].Load(); n != int64(len(data)) {
			t.Errorf("server 3, without a limit: %d bytes in %v, want all %d", n, span, len(data))
		}
	})
}

// What a client that does not read says stays with it, but for a bounded queue.
func TestClientThatNeverReadsHoldsLittle(t *testing.T) {
	path, _ := newFile(t, 1<<20)
	source, err := segment.OpenSource(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		s := &session{conn: theirs, source: source, sent: func(int) {}, changed: func(error) {}}
		done := make(chan error, 1)
		go func() { done <- s.run(t.Context()) }()
		c := newClient(t, ours, nil)
		c.greet(wire.Hello{Parts: 1, Max: 1 << 20})
		c.manifest(64 * 32)
		ping := wire.Append(nil, wire.Ping{})
		taken := 0
		c.SetWriteDeadline(time.Now().Add(writeLimit / 2))
		for {
			n, err := c.Write(ping)
			taken += n
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		// 64 messages in the channel, one beside it, and a read buffer full.
		if most := 65*len(ping) + 4<<10 + len(ping); taken > most {
			t.Errorf("the server took %d bytes of a client that does not read, want at most %d", taken, most)
		}
		if err := <-done; err != nil {
			t.Errorf("ended with %v", err)
		}
		c.Close()
	})
}

// TestGoodbye ends a server in good order: a client that waits and one in the middle of a file
// are told, and one that never reads does not hold the end up.
func TestGoodbye(t *testing.T) {
	inBubble(t, 4<<20, nil, func(t *testing.T, m *memory, r *running, _ []byte) {
		waiting, busy, deaf := m.client(t, 9001), m.client(t, 9001), m.client(t, 9001)
		for _, c := range []*client{waiting, busy, deaf} {
			defer c.Close()
			c.greet(wire.Hello{})
		}
		busy.say(wire.Request{ID: 1, Run: segment.Run{Count: 256}})
		deaf.say(wire.Request{ID: 1, Run: segment.Run{Count: 256}})
		synctest.Wait()
		took := make(chan time.Duration, 1)
		begun := time.Now()
		go func() {
			r.cancel()
			err := <-r.done
			took <- time.Since(begun)
			r.done <- err // for stop
		}()
		busy.next()
		waiting.refused(wire.Shutdown)
		busy.refused(wire.Shutdown)
		if took := <-took; took > goodbye {
			t.Errorf("it took %v", took)
		}
	})
}

// A file that cannot be read is no file that has changed: whoever runs the server is told what
// the disk says, whatever carries the bytes.
func TestDiskFails(t *testing.T) {
	path, _ := newFile(t, 100_000)
	source, err := segment.OpenSource(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := tcpPair(t)
	for name, conn := range map[string]net.Conn{"sendfile": ours, "copied": struct{ net.Conn }{ours}} {
		t.Run(name, func(t *testing.T) {
			file, err := source.Open()
			if err != nil {
				t.Fatal(err)
			}
			file.Close()
			changed := func(err error) { t.Errorf("taken for a change: %v", err) }
			tx := newSender(&session{conn: conn, source: source, changed: changed}, file)
			var disk *fs.PathError
			if err := tx.writeFile(0, 1000); !errors.As(err, &disk) || disk.Path != path {
				t.Errorf("got %v, want what the disk said", err)
			}
		})
	}
	theirs.Close()
}

// tcpPair is a TCP connection.
func tcpPair(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	theirs, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if ours, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })
	return ours, theirs
}
