package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"braid/transport"
	"braid/wire"
)

// verdict ends the download when going on has no prospect: nobody answers for
// too long, or all who answer refuse.
func (d *download) verdict(now time.Time) error {
	if d.onlyReads() {
		d.answered = now // nobody need be there
		d.tellReading(now)
		return nil
	}
	silent := d.silentFor(now)
	if d.provided() {
		patience := max(d.cfg.Wait, silenceGrace)
		if silent >= patience {
			return &NoServerError{Wait: silent.Round(time.Second), Last: errors.New("all connected servers are silent")}
		}
		if silent >= silenceTold {
			d.tellAllSilent(patience)
		}
		return nil
	}
	d.tellAllLost()
	tried, final := true, 0
	for _, s := range d.servers {
		tried = tried && (s.tried || s.out())
		if isFatal(s.refusal) || s.out() {
			final++
		}
	}
	hopeless := tried && final > 0 && !d.hadOne() && d.allFinalOrGone()
	waited := silent >= d.cfg.Wait && (tried || d.cfg.Wait > 0 || silent >= dialLimit)
	if !hopeless && !waited && final < len(d.servers) {
		d.tellNone()
		return nil
	}
	return d.reason()
}

// provided reports whether a connection is there that has what we want.
func (d *download) provided() bool {
	for c := range d.conns() {
		if d.usable(c) || d.challenges(c) {
			return true
		}
	}
	return false
}

func (d *download) silentFor(now time.Time) time.Duration { return now.Sub(d.answered) }

// hadOne reports whether a server has, or had when it was there last, what we want, or some of
// that is in hand.
func (d *download) hadOne() bool {
	return d.inHand() > 0 || slices.ContainsFunc(d.servers, func(s *server) bool { return s.useful })
}

// allFinalOrGone reports whether no server is left that refuses only for now.
func (d *download) allFinalOrGone() bool {
	for _, s := range d.servers {
		if s.refusal != nil && !isFatal(s.refusal) {
			return false
		}
	}
	return true
}

// tellAllSilent says once that those that are connected bring nothing, so that a system which was cut
// off the net, and tells of no lost connection, is not taken for one that hangs.
func (d *download) tellAllSilent(patience time.Duration) {
	for c := range d.conns() {
		if c.server.state != stalled {
			return
		}
	}
	if !d.allSilent {
		d.allSilent = true
		d.tellLoss("nothing comes from those that are connected, waiting for up to " + words(patience))
	}
}

// tellAllLost says once that no server is left, and has all of them tried again.
func (d *download) tellAllLost() {
	if d.hadOne() && !d.lostAll && !d.allOut() {
		d.lostAll = true
		for _, s := range d.servers {
			s.tried = s.out()
			if s.state == otherFile {
				s.wake() // it may have what we want by now, or be lost as well
			}
		}
		how := "seeking them again for up to " + words(d.cfg.Wait)
		if d.cfg.Wait == 0 {
			how = "trying each once more"
		}
		d.tellLoss(how)
	}
}

// tellLoss tells of the loss of all servers, and how it goes on; not without end where they come and go.
func (d *download) tellLoss(how string) {
	if d.telling.Allow() {
		d.tell.Printf("all servers lost: %s; what has verified is kept", how)
	}
}

// tellNone says once that no server has been found yet.
func (d *download) tellNone() {
	if !d.hadOne() && !d.toldNone && d.cfg.Wait > 0 && d.ballot.complete() && len(d.ballot.votes) == 0 {
		d.toldNone = true
		d.tell.Printf("no server answers yet: seeking them by %s for up to %v", d.cfg.Transport, words(d.cfg.Wait))
	}
}

// reason is why the download ends without the file.
func (d *download) reason() error {
	others, liars := 0, 0
	var why error
	for _, s := range d.servers {
		switch {
		case s.out():
			liars++
		case s.state == otherFile:
			others++
		case s.refusal != nil:
			why = fmt.Errorf("server %d (%s): %w", s.number(), s.address, plain(s.refusal))
		}
	}
	switch {
	case others > 0:
		return &IntegrityError{Reason: "no server is left that offers the content; " + d.ballot.describe()}
	case liars > 0:
		return &IntegrityError{Reason: "the servers that are left send data that does not verify"}
	case why != nil:
		return &RefusedError{Reason: "every server that answers refuses: " + why.Error()}
	}
	return &NoServerError{Wait: d.cfg.Wait, Last: d.unanswered()}
}

// unanswered is why no server answers, as far as it is known: the latest failure, or what has become
// of the first attempt. A server of another transport may be there and keep silent.
func (d *download) unanswered() error {
	last := d.last
	if last == nil {
		s := d.servers[0]
		last = fmt.Errorf("server %d (%s): no answer", s.number(), s.address)
	}
	var unknown *net.DNSError
	if d.hadOne() || errors.As(last, &unknown) {
		return last
	}
	return fmt.Errorf("%w (here --transport is %s, and it must be the same on both sides)", last, d.cfg.Transport)
}

func isAny(err error, targets []error) bool {
	return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
}

// plain says in words what the usual errors of a connection mean.
func plain(err error) error {
	var dns *net.DNSError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, transport.ErrKey):
		return fmt.Errorf("%w (BRAID_KEY must be the same on both sides)", err)
	case errors.Is(err, transport.ErrMismatch), errors.Is(err, wire.ErrStranger):
		return fmt.Errorf("%w (--transport must be the same on both sides)", err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it closed the connection")
	case isAny(err, cutErrors):
		return errors.New("it cut the connection")
	case isAny(err, nobodyErrors):
		return errors.New("nothing listens there")
	case errors.As(err, &dns):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return errors.New("no answer")
	}
	return err
}
