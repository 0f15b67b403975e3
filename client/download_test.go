package client

import (
	"context"
	"testing"
	"time"

	"braid/wire"
)

// TestNoEventIsLost has more events wait than are handled in one go.
func TestNoEventIsLost(t *testing.T) {
	const room, all = 4, 11
	d := &download{events: make(chan event, room)}
	c := &conn{server: &server{}}
	for sent := 0; sent < all; {
		for ; sent < all && len(d.events) < room; sent++ {
			d.events <- received{c: c, n: 1}
		}
		first := <-d.events
		if sent < all {
			d.events <- received{c: c, n: 1}
			sent++
		}
		if err := d.handleAll(context.Background(), first); err != nil {
			t.Fatal(err)
		}
	}
	for len(d.events) > 0 {
		if err := d.handleAll(context.Background(), <-d.events); err != nil {
			t.Fatal(err)
		}
	}
	if d.arrived != all {
		t.Errorf("%d events were handled, want %d", d.arrived, all)
	}
}

// TestReadingBackIsNoSilence holds that no server is given up while a partial download is read
// back from disk, which takes as long as it takes.
func TestReadingBackIsNoSilence(t *testing.T) {
	now := time.Now()
	d := &download{busy: true, answered: now.Add(-time.Hour), servers: []*server{{conns: []*conn{{}}}}}
	if d.forgiveDisk(now); d.answered != now {
		t.Errorf("silent for %v", d.silentFor(now))
	}
}

// TestDialsAreCountedOnce has a connection be greeted in the very moment in which it is dropped.
func TestDialsAreCountedOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := &download{events: make(chan event, 8), ballot: newBallot(1, nil), view: view{}}
	s := &server{dialing: 1}
	d.servers = []*server{s}
	c := &conn{server: s, closed: true}
	if err := d.onWelcomed(ctx, welcomed{c: c, welcome: &wire.Welcome{}}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := d.onEnded(ctx, ended{c: c}, time.Now()); err != nil {
		t.Fatal(err)
	}
	d.tasks.Wait()
	if s.dialing != 1 { // the attempt that follows
		t.Errorf("%d attempts are counted as under way", s.dialing)
	}
}
