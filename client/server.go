package client

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"time"

	"golang.org/x/time/rate"

	"braid/transport"
	"braid/wire"
)

// Back-off between two attempts to connect, and how long one may take.
const (
	firstPause  = 50 * time.Millisecond
	lastPause   = time.Second
	uselessWait = 30 * time.Second // a server that has other content or speaks something else
	dialLimit   = 3 * time.Second
)

// corruptLimit is how often a server may send corrupt data before it is out.
const corruptLimit = 3

// helloLimit is how often a server that says hello, and goes before a segment has come,
// counts as one that answers.
const helloLimit = 5

// state is what a server is doing, in a word for people and for JSON.
type state string

const (
	seeking   state = "seeking"
	connected state = "connected"
	stalled   state = "stalled"
	lost      state = "lost"
	refused   state = "refused"
	otherFile state = "other file"
	corrupt   state = "corrupt"
)

// server is one server as the download knows it.
type server struct {
	index    int // from 0
	address  string
	state    state
	conns    []*conn            // that have been welcomed
	dialing  int                // attempts under way, pauses and greetings included
	wake     context.CancelFunc // ends the pause before an attempt; nil: there was none yet
	reached  bool               // a connection to it has come about
	starting bool               // one for the start is under way beside the first
	probing  context.CancelFunc // gives up the attempt beside silent connections; nil: none

	pause    time.Duration // before the next attempt
	tried    bool          // an attempt has ended, or it has answered
	useful   bool          // it has the content, or had it when it was there last
	hellos   int           // with which it came (again) since it last sent a segment
	told     string        // the last trouble that was told, so that it is told once
	telling  *rate.Limiter // of trouble
	untold   bool          // the last trouble was one too many to be told
	refusal  error         // how it refused the latest attempt, for now or for good (isFatal); nil: it did not
	corrupts int

	bytes     int64 // of the file that came from it and verified
	bytesThen int64 // at the last metric block
	arrived   int64 // file bytes off the wire, verified or not
}

// number is what people call it.
func (s *server) number() int { return s.index + 1 }

// out reports whether it has lied too often to be asked again in this run.
func (s *server) out() bool { return s.corrupts >= corruptLimit }

// answers reports whether it is there, and not only ever there again.
func (s *server) answers() bool { return s.hellos <= helloLimit }

// conns goes through the connections that have been welcomed, server by server.
func (d *download) conns() iter.Seq[*conn] {
	return func(yield func(*conn) bool) {
		var now []*conn // of one server, as the loop may drop them
		for _, s := range d.servers {
			now = append(now[:0], s.conns...)
			for _, c := range now {
				if !yield(c) {
					return
				}
			}
		}
	}
}

// nextPause lengthens the back-off, capped, with a quarter of jitter either way. By a thirty-second
// for a server that is away: then the pause is a thirty-second of the time that it has been so, which is
// how late its return is noticed. Twofold for one that answers and is of no use.
func (s *server) nextPause() time.Duration {
	longer := s.pause + s.pause/32
	if s.hellos > 0 || s.refusal != nil {
		longer = s.pause * 2
	}
	s.pause = min(max(longer, firstPause), lastPause)
	return time.Duration(float64(s.pause) * (0.75 + rand.Float64()/2))
}

// dial connects to s after a pause and tells the download. It counts as under way until
// the connection has been greeted or has ended.
func (d *download) dial(ctx context.Context, s *server, why purpose, pause time.Duration) {
	s.dialing++
	pausing, wake := context.WithCancel(ctx)
	s.wake = wake
	d.tasks.Go(func() {
		sleep(pausing, pause)
		wake()
		if ctx.Err() != nil {
			return
		}
		limited, cancel := context.WithTimeout(ctx, dialLimit)
		defer cancel()
		d.attempt(limited, s, why)
	})
}

// probe dials beside the silent connections of s, and gives up an earlier
// attempt that nobody has answered: after an outage, a fresh one comes through
// while TCP still waits to repeat the old one. A connection that was made so and is
// silent as well, or has not been greeted, gets as long as an attempt; then the next one
// takes its place. So a server that only ever says hello has no more than one beside the
// usual ones, and one that has too much to do is not given more.
func (d *download) probe(ctx context.Context, s *server) {
	for _, c := range d.lanes {
		if c.server != s || c.closed || c.why != toProbe || c.welcome != nil && !(c.joined && d.content.balancer.Silent(c.lane)) {
			continue
		}
		if time.Since(c.begun) < dialLimit {
			return
		}
		d.drop(c)
	}
	if s.probing != nil {
		s.probing()
	}
	limited, cancel := context.WithTimeout(ctx, dialLimit)
	s.probing = cancel
	s.dialing++
	d.tasks.Go(func() {
		defer cancel()
		d.attempt(limited, s, toProbe)
	})
}

// attempt dials until limited ends and tells the download what came of it.
func (d *download) attempt(limited context.Context, s *server, why purpose) {
	begun := time.Now()
	nc, err := d.env.Transport.Dial(limited, s.address)
	d.emit(dialed{server: s, why: why, nc: nc, took: time.Since(begun), err: err, superseded: limited.Err() == context.Canceled})
}

// sleep waits until the pause is over or ctx ends.
func sleep(ctx context.Context, pause time.Duration) {
	if pause <= 0 {
		return
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// isFatal reports whether a server that gave this error can never serve this
// client, as it is: it has another key, or speaks something else, or another version.
func isFatal(err error) bool {
	var version *wire.VersionError
	var broken *wire.ProtocolError
	var refuse *refusal
	return errors.Is(err, transport.ErrKey) || errors.Is(err, transport.ErrMismatch) ||
		errors.Is(err, wire.ErrStranger) || errors.As(err, &version) || errors.As(err, &broken) ||
		errors.As(err, &refuse) && refuse.code == wire.BadVersion
}

// isRefusal reports whether the server itself said no.
func isRefusal(err error) bool {
	var refuse *refusal
	return isFatal(err) || errors.As(err, &refuse)
}
