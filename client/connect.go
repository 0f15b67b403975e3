package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"braid/wire"
)

func (d *download) onDialed(ctx context.Context, e dialed) {
	if e.why == toProbe && !e.superseded {
		e.server.probing = nil
	}
	switch {
	case e.err != nil && e.superseded:
		e.server.dialing--
		d.seekAgain(ctx, e.server)
		return
	case e.err != nil:
		if e.why.begins() {
			d.forgo(e.server, d.shareOf(e.server, e.why))
		}
		d.attemptFailed(ctx, e.server, e.why, e.err)
		return
	}
	e.server.reached = true
	first := d.firstShare(e.server, e.why)
	if e.why == toStart && first.max == 0 {
		hangUp(e.nc)
		d.attemptFailed(ctx, e.server, e.why, nil)
		return
	}
	d.next++
	c := newConn(d.next, e.server, e.nc, first, d.limiter, d.keepers, d.emit)
	c.why, c.rtt = e.why, e.took
	d.lanes[c.lane] = c
	d.askEarly(c, e.took)
	d.reading.Go(func() { c.run(ctx) })
}

func (d *download) onWelcomed(ctx context.Context, e welcomed, now time.Time) error {
	c, s := e.c, e.c.server
	s.dialing--
	c.welcome, c.greeted, c.rtt = e.welcome, now, min(c.rtt, e.took)
	if c.why == toStart {
		s.starting = false
	}
	if c.closed {
		return nil
	}
	s.conns = append(s.conns, c)
	s.tried, s.refusal = true, nil
	if s.out() {
		d.drop(c)
		return nil
	}
	d.wantPartial(c)
	d.ballot.vote(s.index, c.key(), now)
	if d.usable(c) {
		if len(s.conns) == 1 {
			if s.hellos++; s.answers() {
				d.answered = now
			}
			d.greetAgain(s)
		}
	}
	return d.settle(ctx, now)
}

// greetAgain tells that a server is there, or there again.
func (d *download) greetAgain(s *server) {
	word := "connected"
	if s.useful {
		word = "rejoined"
	}
	s.state, s.useful, s.told, d.lostAll = connected, true, "", false
	d.allSilent = false
	if word == "connected" || !s.untold { // else what it comes back from was not told
		d.event(s, "%s", word)
	}
}

// drop closes a connection; its work is free at once. Its ended event follows.
func (d *download) drop(c *conn) {
	if c.closed {
		return
	}
	c.closed = true
	c.held = nil
	hangUp(c.nc)
	d.detach(c)
}

// detach takes a connection out of everything.
func (d *download) detach(c *conn) {
	s := c.server
	at := slices.Index(s.conns, c)
	if at < 0 {
		return
	}
	s.conns = slices.Delete(s.conns, at, at+1)
	switch {
	case c.joined:
		c.joined = false
		d.content.balancer.Leave(c.lane, time.Now())
	case c.why == toAdd && c.welcome != nil && d.content != nil && d.content.balancer != nil:
		d.content.balancer.NotOpened(s.index, time.Now()) // it was greeted, and that was all
	}
	if d.content != nil && d.content.asked == c {
		d.content.asked = nil
	}
}

func (d *download) onEnded(ctx context.Context, e ended, now time.Time) error {
	c, s := e.c, e.c.server
	delete(d.lanes, c.lane)
	if c.welcome == nil {
		d.forgo(s, c.share)
		if c.closed {
			s.dialing--
			d.seekAgain(ctx, s)
		} else {
			d.attemptFailed(ctx, s, c.why, e.err)
		}
		return d.settle(ctx, now)
	}
	var broken *wire.ProtocolError
	if !c.closed && errors.As(e.err, &broken) {
		d.lied(c, e.err)
	}
	ours := c.closed
	c.closed = true
	d.detach(c)
	if !ours && len(s.conns) == 0 {
		s.state = lost
		var no *refusal
		if isRefusal(e.err) && !(errors.As(e.err, &no) && no.code == wire.Shutdown) {
			s.state = refused
		}
		d.trouble(s, fmt.Sprintf("%s: %v", s.state, plain(e.err)))
	}
	d.seekAgain(ctx, s)
	return d.settle(ctx, now)
}

// attemptFailed takes note that a connection did not come about.
func (d *download) attemptFailed(ctx context.Context, s *server, why purpose, err error) {
	s.dialing--
	if why == toStart {
		s.starting = false
		d.seekAgain(ctx, s)
		return
	}
	if why == toAdd && d.content != nil && d.content.balancer != nil {
		d.content.balancer.NotOpened(s.index, time.Now())
	}
	if len(s.conns) > 0 {
		return
	}
	s.tried, s.refusal = true, nil
	if isRefusal(err) {
		s.refusal = err
	}
	if isAny(err, cutErrors) {
		err = io.EOF // a proxy with nobody behind it closes or cuts as it happens: that is told once
	}
	d.ballot.fail(s.index)
	word := refused
	if (s.state == connected || s.state == stalled) && !isRefusal(err) {
		word = lost // its last connection was given up for this attempt
	}
	if s.state != lost && s.state != corrupt {
		s.state = word
	}
	d.last = fmt.Errorf("server %d (%s): %w", s.number(), s.address, plain(err))
	d.trouble(s, fmt.Sprintf("%s: %v", word, plain(err)))
	d.seekAgain(ctx, s)
}

// seekAgain dials a server that has no connection, after a pause.
func (d *download) seekAgain(ctx context.Context, s *server) {
	if len(s.conns) > 0 || s.dialing > 0 || s.out() {
		return
	}
	pause := s.nextPause()
	if s.state == otherFile || isFatal(s.refusal) {
		pause = min(uselessWait, max(d.cfg.Wait/4, lastPause))
	}
	d.dial(ctx, s, toSeek, pause)
}
