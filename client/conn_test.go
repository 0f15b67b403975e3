package client

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"braid/segment"
	"braid/wire"
)

// TestRoundTrips has each PONG come a second after its PING, while others are under way.
func TestRoundTrips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			preface := wire.Preface()
			theirs.Write(wire.Append(preface[:], wire.Welcome{Layout: segment.LayoutOf(1), Name: "f"}))
			r := wire.NewReader(theirs, wire.Client)
			if r.Preface() != nil {
				return
			}
			for {
				m, err := r.Next()
				if err != nil {
					return
				}
				if ping, ok := m.(wire.Ping); ok {
					time.AfterFunc(time.Second, func() { theirs.Write(wire.Append(nil, wire.Pong(ping))) })
				}
			}
		}()
		var trips []time.Duration
		c := newConn(1, &server{}, ours, share{}, nil, newKeepers(), func(e event) {
			if e, ok := e.(ponged); ok {
				trips = append(trips, e.rtt)
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			c.run(ctx)
		}()
		for range 20 {
			c.send(wire.Ping{})
			time.Sleep(300 * time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		cancel()
		<-ended
		if len(trips) < 4 {
			t.Errorf("%d round trips in 8 s", len(trips))
		}
		for _, trip := range trips {
			if trip != time.Second {
				t.Errorf("a round trip of %v, want 1 s", trip)
			}
		}
	})
}

// cuttable notes how it is closed.
type cuttable struct {
	net.Conn
	mu    sync.Mutex
	calls []string
}

func (c *cuttable) note(call string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, call)
}

func (c *cuttable) SetLinger(sec int) error {
	if sec == 0 {
		c.note("cut")
	}
	return nil
}

func (c *cuttable) Close() error {
	c.note("close")
	return c.Conn.Close()
}

// A connection that is given up does not wait for what is under way.
func TestHangUp(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	nc := &cuttable{Conn: ours}
	c := newConn(1, &server{}, nc, share{}, nil, newKeepers(), func(event) {})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c.run(ctx)
	nc.mu.Lock() // the end of ctx may still be hanging up, too
	defer nc.mu.Unlock()
	if first, end := slices.Index(nc.calls, "cut"), slices.Index(nc.calls, "close"); first < 0 || end < first {
		t.Errorf("%v, want it cut before it is closed", nc.calls)
	}
}
