package transport

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

func TestBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBacklog(nil, 0)
		expect := func(want bool, when string) {
			t.Helper()
			if b.Behind() != want {
				t.Errorf("%s: behind %v, want %v", when, !want, want)
			}
		}
		read := func(n, room int, took time.Duration) {
			b.begin()
			time.Sleep(took)
			b.found(n, room)
			b.end()
		}
		expect(true, "nobody reads")
		b.begin()
		expect(false, "the first read waits")
		b.end()
		for range 2 {
			read(muchRead/2, muchRead/2, 0)
		}
		b.begin()
		expect(true, "reads have found all that they could take")
		time.Sleep(busyRead)
		expect(false, "but the next one has waited for long")
		b.end()
		expect(true, "the reader is busy")
		read(100, 101, 0)
		b.begin()
		expect(false, "a read has found less than it could take")
		b.end()
		read(muchRead, 4*muchRead, 0)
		b.begin()
		expect(true, "a read has found less than it could take, but much")
		b.end()
		read(muchRead-1, 4*muchRead, 0)
		b.begin()
		expect(false, "a read has found little")
		b.end()
		for range 10 {
			read(muchRead/4, muchRead/4, waited)
			read(muchRead*3/4, muchRead*3/4, 0)
		}
		b.begin()
		expect(false, "one message after the other comes, and each is waited for")
	})
}

// TestBehind: whatever carries a connection, its reader is behind until it waits for more.
func TestBehind(t *testing.T) {
	for _, name := range Builtin().Names() {
		t.Run(name, func(t *testing.T) {
			dialled, accepted := accepted(t, name)
			const n = 256 << 10
			go accepted.Write(make([]byte, n))
			if _, err := io.ReadFull(dialled, make([]byte, n)); err != nil {
				t.Fatal(err)
			}
			if !isBehind(dialled) {
				t.Error("not behind while nobody reads")
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				dialled.Read(make([]byte, 1))
			}()
			for end := time.Now().Add(patience); isBehind(dialled); time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Error("behind though nothing is to come")
					break
				}
			}
			accepted.Write([]byte{0})
			<-done
		})
	}
}

// accepted is the two ends of a connection over the named transport.
func accepted(t *testing.T, name string) (dialled, accepted net.Conn) {
	t.Helper()
	tr, err := Builtin().New(name, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := tr.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	result := make(chan outcome, 1)
	go func() {
		c, err := ln.Accept()
		result <- outcome{c, err}
	}()
	dialled, err = tr.Dial(ctx, ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	o := <-result
	if o.err != nil {
		t.Fatal(o.err)
	}
	t.Cleanup(func() {
		dialled.Close()
		o.conn.Close()
		ln.Close()
		closeTransport(tr)
	})
	return dialled, o.conn
}
