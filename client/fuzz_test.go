package client_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"braid/client"
	"braid/segment"
	"braid/wire"
)

// conversation is what an honest server of data sends to a client that asks
// for the whole file at first, as long as it has one segment.
func conversation(data []byte, welcome func(*wire.Welcome)) []byte {
	m, err := segment.Hash(context.Background(), bytes.NewReader(data), int64(len(data)), nil)
	if err != nil {
		panic(err)
	}
	w := wire.Welcome{Layout: m.Layout(), Root: m.Root(), Manifest: true, Name: "f.bin"}
	if welcome != nil {
		welcome(&w)
	}
	preface := wire.Preface()
	b := wire.Append(preface[:], w)
	if len(m.Values()) > 0 {
		b = wire.Append(b, wire.Manifest{Values: m.Values()})
	}
	if len(data) > 0 {
		b = append(wire.Append(b, wire.Data{Len: len(data)}), data...)
	}
	return b
}

// FuzzServerBytes lets a server send any bytes: the client neither crashes nor
// hangs nor allocates much, and believes only what verifies.
func FuzzServerBytes(f *testing.F) {
	small := content(1000, 1)
	preface := wire.Preface()
	f.Add([]byte{}, false)
	f.Add([]byte("HTTP/1.0 400 Bad Request\r\n\r\n"), true)
	f.Add(preface[:], true)
	f.Add(conversation(nil, nil), false)
	f.Add(conversation(small, nil), false)
	f.Add(conversation(small, nil), true)
	f.Add(conversation(small, nil)[:100], true)
	f.Add(conversation(small, nil)[:100], false)
	f.Add(conversation(small, nil)[:len(small)/10+60], false)
	f.Add(conversation(content(70*kB, 1), nil)[:300], true)
	f.Add(conversation(content(70*kB, 1), nil), true)
	f.Add(conversation(small, func(w *wire.Welcome) { w.Layout, w.Manifest = segment.LayoutOf(16<<40), false }), true)
	f.Add(conversation(small, func(w *wire.Welcome) { w.Layout = segment.LayoutOf(1001) }), true)
	f.Add(conversation(small, func(w *wire.Welcome) { w.Manifest = false }), true)
	f.Add(wire.Append(conversation(small, nil), wire.Refuse{Code: wire.Shutdown, Text: "bye"}), true)
	f.Add(wire.Append(preface[:], wire.Refuse{Code: wire.Busy}), true)
	f.Add(append(conversation(content(40*kB, 1), nil), wire.Append(nil, wire.Pong{})...), true)
	f.Fuzz(func(t *testing.T, b []byte, open bool) {
		inWorldAlone(t, func(w *world) {
			w.script(1, 0, time.Millisecond, func(c net.Conn) {
				c.Write(b)
				if open {
					io.Copy(io.Discard, c)
				}
			})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := w.download(1, func(c *client.Config) { c.Wait = 2 * time.Second })
			runtime.ReadMemStats(&after)
			var interrupted *client.InterruptedError
			if errors.As(r.err, &interrupted) {
				t.Fatalf("hangs: %s", r.stderr.String())
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 256<<20 {
				t.Errorf("allocated %d bytes", n)
			}
			if r.err == nil {
				r.nothingPartial()
				r.asReported()
			}
		})
	})
}

// asReported holds that the file which was saved is the one of the report.
func (r *run) asReported() {
	t := r.w.t
	t.Helper()
	result := r.result()
	saved, err := os.ReadFile(result.Path)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(result.Path) != r.w.out() {
		t.Errorf("saved as %q, outside of %s", result.Path, r.w.out())
	}
	if hash := digest(saved); int64(len(saved)) != result.Size || hash != result.BLAKE3 {
		t.Errorf("the file has %d bytes and BLAKE3 %s, reported are %d and %s", len(saved), hash, result.Size, result.BLAKE3)
	}
}

// FuzzEvilServer has an evil server beside a slow honest one. Whatever it does, the file
// is there at the end, and right.
func FuzzEvilServer(f *testing.F) {
	f.Add([]byte{}, uint32(200*kB))
	for op := range opCount {
		f.Add([]byte{0, 0, byte(op), 100, byte(op), 3, byte(op), 200, 0, byte(op), 7}, uint32(200*kB))
		f.Add(bytes.Repeat([]byte{byte(op), 17}, 40), uint32(3*16<<10+5))
	}
	f.Add([]byte{opFlip, 90, opFlip, 90, opFlip, 90}, uint32(1))
	f.Add([]byte{opClose}, uint32(0))
	f.Fuzz(func(t *testing.T, script []byte, size uint32) {
		data := content(int(size%(256<<10)), 1)
		inWorldAlone(t, func(w *world) {
			w.serve(1, w.file("f.bin", data), 50*kB, 20*time.Millisecond)
			s := &deeds{ops: script}
			liar := actor{data: data, name: "f.bin"}
			w.script(2, 500*kB, time.Millisecond, func(c net.Conn) { liar.talk(&evilConn{Conn: c, script: s}) })
			r := w.download(2, func(c *client.Config) { c.Digest = digest(data) })
			if r.err != nil || r.took > 2*time.Minute {
				t.Fatalf("after %v: %v\n%s", r.took, r.err, r.stderr.String())
			}
			r.complete("f.bin", data)
		})
	})
}

// The things that an evil server does with a message that it should send.
const (
	opPass = iota
	opFlip
	opDrop
	opTwice
	opCut
	opSlow
	opRefuse
	opData
	opClose
	opHold
	opHang
	opManifest
	opPong
	opCount
)

// deeds is read by all connections in turn; at its end all is honest.
type deeds struct {
	mu  sync.Mutex
	ops []byte
}

func (s *deeds) next() byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ops) == 0 {
		return opPass
	}
	b := s.ops[0]
	s.ops = s.ops[1:]
	return b
}

// evilConn changes what is written to it, a message at a time. It does not claim
// other content, which would be a matter of the vote.
type evilConn struct {
	net.Conn
	script  *deeds
	held    []byte
	greeted bool
}

func (c *evilConn) Write(p []byte) (int, error) {
	n := len(p)
	var before []byte
	switch op := c.script.next() % opCount; op {
	case opFlip:
		if !c.greeted {
			break
		}
		p = bytes.Clone(p)
		p[int(c.script.next())*len(p)/256] ^= 2
	case opDrop:
		return n, nil
	case opTwice:
		before = p
	case opCut:
		c.Conn.Write(p[:int(c.script.next())*len(p)/256])
		return 0, net.ErrClosed
	case opSlow:
		time.Sleep(time.Duration(c.script.next()) * 20 * time.Millisecond)
	case opRefuse:
		before = wire.Append(nil, wire.Refuse{Code: wire.Code(c.script.next()), Text: "no"})
	case opData:
		k := int(c.script.next())
		before = append(wire.Append(nil, wire.Data{ID: uint32(k % 4), Offset: int64(k) << 10, Len: 5}), "12345"...)
	case opClose:
		return 0, net.ErrClosed
	case opHold:
		c.held = append(c.held, p...)
		return n, nil
	case opHang:
		time.Sleep(20 * time.Second)
	case opManifest:
		before = wire.Append(nil, wire.Manifest{Offset: int64(c.script.next()) << 5, Values: make([]byte, 64)})
	case opPong:
		before = wire.Append(nil, wire.Pong{})
	}
	c.greeted = true
	held := c.held
	c.held = nil
	if _, err := c.Conn.Write(append(append(bytes.Clone(before), p...), held...)); err != nil {
		return 0, err
	}
	return n, nil
}
