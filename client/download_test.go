package client

import (
	"context"
	"testing"
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
