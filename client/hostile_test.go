package client_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"braid/client"
	"braid/segment"
	"braid/wire"
)

// dataFilter changes the DATA messages that an actor sends.
type dataFilter struct {
	net.Conn
	change func(message []byte) []byte
}

func (c dataFilter) Write(p []byte) (int, error) {
	if len(p) > 0 && wire.Type(p[0]) == wire.TypeData {
		if _, err := c.Conn.Write(c.change(bytes.Clone(p))); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// flood lets the greeting through, and then writes b again and again.
type flood struct {
	net.Conn
	b       []byte
	greeted bool
}

func (c *flood) Write(p []byte) (int, error) {
	if !c.greeted {
		c.greeted = true
		return c.Conn.Write(p)
	}
	for {
		if n, err := c.Conn.Write(c.b); err != nil {
			return n, err
		}
	}
}

// drip writes a byte a second.
type drip struct{ net.Conn }

func (c drip) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := c.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
		time.Sleep(time.Second)
	}
	return len(p), nil
}

// TestHostileServers has a server with a fast link do what it likes, beside two honest
// ones. These carry the download at their speed, the file is right, memory stays
// bounded, and the hostile one is named.
func TestHostileServers(t *testing.T) {
	data := content(size, 1)
	honest := actor{data: data, name: "f.bin"}
	// in has DATA messages changed.
	in := func(change func([]byte) []byte) func(net.Conn) {
		return func(c net.Conn) { honest.talk(dataFilter{c, change}) }
	}
	with := func(change func(*actor)) func(net.Conn) {
		a := honest
		change(&a)
		return a.talk
	}
	endless := func(b []byte) func(net.Conn) {
		return func(c net.Conn) { honest.talk(&flood{Conn: c, b: b}) }
	}
	var sent atomic.Int64
	tests := []struct {
		name string
		talk func(net.Conn)
		told string // of it on stderr; empty: nothing that it does is wrong
	}{
		{"right data under another id", in(func(b []byte) []byte {
			binary.BigEndian.PutUint32(b[4:], binary.BigEndian.Uint32(b[4:])+1)
			return b
		}), "that nobody asked for"},
		{"right data at another place", in(func(b []byte) []byte {
			binary.BigEndian.PutUint64(b[8:], binary.BigEndian.Uint64(b[8:])+16<<10)
			return b
		}), "that nobody asked for"},
		{"a stream replayed for other ranges", replay(honest), "that nobody asked for"},
		{"bytes of another range under the right header", with(func(a *actor) {
			a.damage = func(off int64, b []byte) { copy(b, data[(off+1*MB)%(size-64*kB):]) }
		}), "sent corrupt data"},
		{"a bit in a thousand packets", with(func(a *actor) {
			a.damage = func(_ int64, b []byte) {
				if sent.Add(1)%40 == 0 {
					b[len(b)/2] ^= 1
				}
			}
		}), "sent corrupt data"},
		{"noise", func(c net.Conn) { honest.talk(&flood{Conn: c, b: content(64*kB, 9)}) }, "protocol error"},
		{"truncated in the middle of a message", in(func(b []byte) []byte { return b[:len(b)/2] }), "Server 1"},
		{"an absurd length", in(func(b []byte) []byte { return append(b[:1], 0xff, 0xff, 0xff) }), "protocol error"},
		{"DATA that never comes", in(func(b []byte) []byte { return b[:16] }), "stalled"},
		{"endless PONGs", endless(bytes.Repeat(wire.Append(nil, wire.Pong{}), 1000)), "PONG that answers no PING"},
		{"endless manifests", endless(wire.Append(nil, wire.Manifest{Values: make([]byte, wire.MaxManifest)})), "protocol error"},
		{"a manifest in endless pieces", endless(wire.Append(nil, wire.Manifest{Values: make([]byte, 32)})), "protocol error"},
		{"the right root with another size", with(func(a *actor) {
			a.welcome = func(w *wire.Welcome) { w.Layout = segment.LayoutOf(16 << 40) }
		}), "holds another file"},
		{"a greeting of a byte a second", func(c net.Conn) { honest.talk(drip{c}) }, "refused: no answer"},
		{"data of a byte a second", func(c net.Conn) { honest.talk(dripData{c}) }, ""},
		{"closes after the greeting", func(c net.Conn) { honest.talk(&firstOnly{Conn: c}) }, "lost: it closed the connection"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inWorldAlone(t, func(w *world) {
				h := w.script(1, 1000*kB, time.Millisecond, test.talk)
				w.serve(2, w.file("f.bin", data), 200*kB, 20*time.Millisecond)
				w.serve(3, w.file("f.bin", data), 200*kB, 20*time.Millisecond)
				grown := w.growth()
				r := w.download(3).complete("f.bin", data).within(1.15, size, 400*kB)
				if test.told != "" {
					r.mentioned("Server 1 (h:9001): ").mentioned(test.told)
				}
				if lines := strings.Count(r.stderr.String(), "\n"); lines > 40 {
					t.Errorf("%d lines on stderr:\n%s", lines, r.stderr.String())
				}
				if n := grown(); n > 8*MB {
					t.Errorf("%d bytes of memory on the way", n)
				}
				if h.dials > 40 {
					t.Errorf("dialled %d times", h.dials)
				}
			})
		})
	}
}

// replay sends the first DATA message that it has sent again for whatever is asked.
func replay(a actor) func(net.Conn) {
	return func(c net.Conn) {
		var first []byte
		a.talk(dataFilter{c, func(b []byte) []byte {
			if first == nil {
				first = b
			}
			return first
		}})
	}
}

// dripData sends DATA a byte a second.
type dripData struct{ net.Conn }

func (c dripData) Write(p []byte) (int, error) {
	if len(p) > 0 && wire.Type(p[0]) == wire.TypeData {
		return drip(c).Write(p)
	}
	return c.Conn.Write(p)
}

// TestManifestNobodyAskedFor has a server fill the memory of a client that has the
// manifest from an earlier run.
func TestManifestNobodyAskedFor(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		w.three(data)
		w.interrupt(3, 3*time.Second)
		honest := actor{data: data, name: "f.bin"}
		values := wire.Append(nil, wire.Manifest{Values: make([]byte, 32)})
		w.script(4, 500*kB, time.Millisecond, func(c net.Conn) { honest.talk(&flood{Conn: c, b: values}) })
		w.download(4, resume).complete("f.bin", data).told("Server 4 (h:9004): protocol error: MANIFEST that nobody asked for", 3)
	})
}

// TestThousandLies has hundreds of servers that lie as often as they may, each in
// another way, and one honest one. The user has a digest.
func TestThousandLies(t *testing.T) {
	const liars = 340
	data := content(1*MB, 1)
	ways := []func(actor) func(net.Conn){
		func(a actor) func(net.Conn) { a.damage = damageAll; return a.talk },
		func(a actor) func(net.Conn) {
			a.values = func(v []byte) []byte { v[40] ^= 1; return v }
			return a.talk
		},
		replay,
		func(a actor) func(net.Conn) {
			return func(c net.Conn) {
				a.talk(dataFilter{c, func(b []byte) []byte { return append(b[:1], 0xff, 0xff, 0xff) }})
			}
		},
	}
	inWorldAlone(t, func(w *world) {
		for k := range liars {
			w.script(k+1, 1000*kB, time.Duration(1+k%50)*time.Millisecond, ways[k%len(ways)](actor{data: data, name: "f.bin"}))
		}
		w.serve(liars+1, w.file("f.bin", data), 200*kB, 20*time.Millisecond)
		r := w.download(liars+1, func(c *client.Config) { c.Digest = digest(data) }).complete("f.bin", data)
		if limit := 1.2*float64(len(data))/(200*kB) + 2; r.took.Seconds() > limit {
			t.Errorf("took %v, want at most %.1f s", r.took, limit)
		}
		lies := 0
		for k := range liars {
			name := fmt.Sprintf("Server %d (%s): ", k+1, address(k+1))
			n := strings.Count(r.stderr.String(), name)
			if n == 0 {
				t.Errorf("nothing is told of server %d", k+1)
			}
			lies += n
		}
		if lies < 2*liars {
			t.Errorf("only %d lies told of", lies)
		}
	})
}

// TestAgreesAndLiesLater has a server that is honest for a while and then never again.
func TestAgreesAndLiesLater(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		var sent atomic.Int64
		liar := actor{data: data, name: "f.bin", damage: func(_ int64, b []byte) {
			if sent.Add(int64(len(b))) > 600*kB {
				b[0] ^= 1
			}
		}}
		w.script(1, 400*kB, 20*time.Millisecond, liar.talk)
		w.serve(2, w.file("f.bin", data), 200*kB, 20*time.Millisecond)
		r := w.download(2).complete("f.bin", data).told("Server 1 (h:9001): sent corrupt data", 3).told("; it is not used any more", 1)
		if n := r.from(1); n < 300*kB || n > 600*kB {
			t.Errorf("%d bytes from the liar, which sent 600000 right ones", n)
		}
	})
}
