package client

import (
	"context"
	"time"

	"braid/balance"
	"braid/segment"
	"braid/wire"
)

// plan carries out what the balancer wants now, and returns when it wants to be asked
// again; zero: not before the next event.
func (d *download) plan(ctx context.Context) time.Time {
	if d.content == nil || d.content.balancer == nil {
		return time.Time{}
	}
	now := time.Now()
	for _, o := range d.content.balancer.Plan(now) {
		d.obey(ctx, o)
	}
	d.hurry(now)
	return d.content.balancer.Next(now)
}

// hurry has what comes read at once when the end is near: who is told late of it asks and cancels late.
func (d *download) hurry(now time.Time) {
	on := d.content.balancer.Ending(now)
	if on == d.hurries {
		return
	}
	d.hurries = on
	for _, c := range d.lanes {
		c.hurry(on)
	}
}

func (d *download) obey(ctx context.Context, o balance.Order) {
	if o.Kind == balance.Open {
		d.dial(ctx, d.servers[o.Server], toAdd, 0)
		return
	}
	c := d.lanes[o.Lane]
	if c == nil || c.closed {
		return
	}
	ok := true
	switch o.Kind {
	case balance.Ask:
		ok = c.ask(d.content.layout, o.ID, segment.Run(o.Run))
	case balance.Shorten:
		ok = c.send(wire.Cancel{ID: o.ID, Keep: o.Keep})
	case balance.Probe:
		ok = c.send(wire.Ping{})
		d.stalled(ctx, c.server)
	case balance.Close:
		d.drop(c)
	}
	if !ok {
		d.trouble(c.server, "lost: it does not read what it is asked")
		d.drop(c)
	}
}

// stalled tells that a server is silent, and dials beside it.
func (d *download) stalled(ctx context.Context, s *server) {
	silent := 0
	for _, c := range s.conns {
		if d.content.balancer.Silent(c.lane) {
			silent++
		}
	}
	if silent == len(s.conns) && s.state == connected {
		s.state = stalled
		d.trouble(s, "stalled: its work goes to others; trying another connection")
	}
	d.probe(ctx, s)
}
