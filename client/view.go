package client

import (
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"braid/report"
)

// view is what the reports need to remember.
type view struct {
	out      *report.DownloadWriter
	begun    time.Time // of the run
	block    time.Time // of the last metric block
	then     int64     // bytes in hand then
	drawn    time.Time
	fetching report.Estimate // of what the servers bring
	reading  report.Estimate // of what -r reads back
	history  *report.History // nil without --html
}

// event tells something of one server on stderr.
func (d *download) event(s *server, format string, args ...any) {
	d.tell.Printf("Server %d (%s): %s", s.number(), s.address, fmt.Sprintf(format, args...))
}

// How often trouble with a server is told: so many times at once, and then once in so long. A server that
// cuts each connection after a few bytes, and is of use all the same, has news ten times a second.
const (
	troubles   = 40
	moreToTell = 10 * time.Second
)

func newTelling() *rate.Limiter { return rate.NewLimiter(rate.Every(moreToTell), troubles) }

// trouble is an event that is told once, however often it comes in a row, and not without end
// where it comes and goes.
func (d *download) trouble(s *server, text string) {
	if s.told == text {
		s.untold = false
		return
	}
	left := s.untold
	if s.untold = !s.telling.Allow(); s.untold {
		return
	}
	s.told = text
	if left {
		text += " (not every time is told)"
	}
	d.event(s, "%s", text)
}

// size is the size of the file in bytes, 0 while it is unknown.
func (d *download) size() int64 {
	if d.content == nil {
		return 0
	}
	return d.content.layout.Size
}

// inHand is how many bytes of the file are there and verified.
func (d *download) inHand() int64 { return d.resumed + d.kept }

// left estimates the time left, by what the servers bring and what the disk reads back; negative when
// it is unknown.
func (d *download) left(elapsed time.Duration) time.Duration {
	var unread int64
	if d.content != nil {
		unread = d.content.unread
	}
	fetching := d.view.fetching.Left(elapsed, d.kept, d.size()-d.resumed-unread)
	reading := d.view.reading.Left(elapsed, d.resumed, d.resumed+unread)
	switch {
	case unread == 0:
		return fetching
	case d.onlyReads():
		return reading
	case fetching < 0 || reading < 0:
		return -1
	}
	return max(fetching, reading)
}

// report writes the block of the interval just past.
func (d *download) report() {
	now := time.Now()
	span := now.Sub(d.view.block).Seconds()
	p := d.progress(now, span, d.inHand()-d.view.then)
	for i, s := range d.servers {
		p.Servers[i].Speed = perSecond(s.bytes-s.bytesThen, span)
		s.bytesThen = s.bytes
	}
	d.view.block, d.view.then = now, d.inHand()
	d.view.out.Progress(p)
}

// draw renews the live area.
func (d *download) draw(now time.Time) {
	if now.Sub(d.view.drawn) < drawing {
		return
	}
	d.view.drawn = now
	p := d.progress(now, 0, 0)
	if d.content != nil && d.content.balancer != nil && !d.onlyReads() {
		for i, s := range d.servers {
			p.Servers[i].Speed = d.content.balancer.ServerRate(s.index)
			p.Speed += p.Servers[i].Speed
		}
	}
	d.view.history.Sample(p)
	d.screen.Draw(p)
}

// progress is the state of the download; fresh bytes came in span seconds.
func (d *download) progress(now time.Time, span float64, fresh int64) report.Progress {
	elapsed := now.Sub(d.view.begun)
	p := report.Progress{
		Elapsed: elapsed,
		Size:    d.size(),
		Bytes:   d.inHand(),
		Speed:   perSecond(fresh, span),
		Left:    d.left(elapsed),
	}
	for _, s := range d.servers {
		p.Servers = append(p.Servers, report.Server{
			Number: s.number(), Address: s.address, Bytes: s.bytes, Arrived: s.arrived, State: string(s.state), Streams: len(s.conns),
		})
	}
	return p
}

// finish writes the last block, whose speeds are the averages of the run, and
// the result.
func (d *download) finish(path string) {
	now := time.Now()
	elapsed := now.Sub(d.view.begun)
	span := elapsed.Seconds()
	p := d.progress(now, span, d.kept)
	for i, s := range d.servers {
		p.Servers[i].Speed = perSecond(s.bytes, span)
	}
	p.Left = 0
	d.view.out.Progress(p)
	err := d.view.out.Result(report.Result{
		Path: path, Size: d.size(), BLAKE3: d.content.key.root.String(), Elapsed: elapsed, Speed: p.Speed,
		Resumed: d.resumed, Wasted: d.arrived - d.kept, Servers: p.Servers,
	})
	if err != nil {
		d.tell.Printf("%v; %s is complete all the same", err, path)
	}
}

func perSecond(n int64, seconds float64) float64 {
	if seconds <= 0 {
		return 0
	}
	return float64(n) / seconds
}
