// Package transporttest is the suite that every transport passes: Go's own
// nettest.TestConn, and what braid relies on besides.
package transporttest

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/nettest"

	"braid/transport"
)

// patience is for what should happen at once, on a machine that is busy.
const patience = 20 * time.Second

// Make makes a transport for one test, and the address at which it may listen. The
// address to dial is the listener's Addr. The suite closes a transport that is an io.Closer.
type Make func(t *testing.T) (tr transport.Transport, addr string)

// Run runs the suite. After each test no goroutine may be left over.
func Run(t *testing.T, make Make) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *fixture)
	}{
		{"AcceptAfterClose", testAcceptAfterClose},
		{"CloseUnblocksAccept", testCloseUnblocksAccept},
		{"DialCancelled", testDialCancelled},
		{"CancelAfterDial", testCancelAfterDial},
		{"NobodyListens", testNobodyListens},
		{"ListenAgain", testListenAgain},
		{"ListenerSpeaksFirst", testListenerSpeaksFirst},
		{"EndAfterAllData", testEndAfterAllData},
		{"LargeBothWays", testLargeBothWays},
		{"Hundred", testHundred},
		{"Deadlines", testDeadlines},
		{"WriteDeadlineLosesNothing", testWriteDeadlineLosesNothing},
		{"ReadDeadlineLosesNothing", testReadDeadlineLosesNothing},
		{"CloseUnblocks", testCloseUnblocks},
		{"HalfClose", testHalfClose},
		{"Cut", testCut},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			f := newFixture(t, make)
			test.run(t, f)
			f.close()
			if err := goleak.Find(before); err != nil {
				t.Errorf("left over: %v", err)
			}
		})
	}
	t.Run("nettest", func(t *testing.T) {
		before := goleak.IgnoreCurrent()
		nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
			f := newFixture(t, make)
			dialled, accepted, err := f.connect()
			return dialled, accepted, f.close, err
		})
		if err := goleak.Find(before); err != nil {
			t.Errorf("left over: %v", err)
		}
	})
}

// fixture is a transport that listens.
type fixture struct {
	t  *testing.T
	tr transport.Transport
	ln net.Listener
	// address is where ln listens.
	address string
	conns   []net.Conn
}

func newFixture(t *testing.T, make Make) *fixture {
	t.Helper()
	tr, addr := make(t)
	ln, err := tr.Listen(t.Context(), addr)
	if err != nil {
		t.Fatalf("Listen(%q): %v", addr, err)
	}
	return &fixture{t: t, tr: tr, ln: ln, address: ln.Addr().String()}
}

// connect dials and accepts. Closing the fixture closes both ends.
func (f *fixture) connect() (dialled, accepted net.Conn, err error) {
	type result struct {
		conn net.Conn
		err  error
	}
	dialling := make(chan result, 1)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	go func() {
		c, err := f.tr.Dial(ctx, f.address)
		if err != nil {
			f.ln.Close() // nobody would come
		}
		dialling <- result{c, err}
	}()
	accepted, err = f.ln.Accept()
	d := <-dialling
	for _, c := range []net.Conn{d.conn, accepted} {
		if c != nil {
			f.conns = append(f.conns, c)
		}
	}
	if d.err != nil {
		err = d.err
	}
	return d.conn, accepted, err
}

// pair is connect where failing is the end of the test. What takes longer
// than patience fails.
func (f *fixture) pair() (dialled, accepted net.Conn) {
	f.t.Helper()
	dialled, accepted, err := f.connect()
	if err != nil {
		f.t.Fatalf("connect: %v", err)
	}
	end := time.Now().Add(patience)
	dialled.SetDeadline(end)
	accepted.SetDeadline(end)
	return dialled, accepted
}

func (f *fixture) close() {
	for _, c := range f.conns {
		c.Close()
	}
	f.ln.Close()
	if c, ok := f.tr.(io.Closer); ok {
		c.Close()
	}
}
