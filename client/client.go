// Package client downloads one file from many servers at once: it seeks them,
// agrees with them on the content, fetches from each as fast as it is, verifies
// every segment, and survives whatever they do.
//
// One goroutine, in download.loop, owns all state. Each connection has a
// goroutine that reads and one that writes requests; keepers verify and write
// segments beside them. They all send events to the owner.
package client

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"braid/balance"
	"braid/report"
	"braid/segment"
)

// Run downloads the file. It returns nil when the file is under its name and
// verified, and only after all its goroutines have ended, but those that write to an
// output that is not read. The download does not wait for the readers of its outputs;
// at the end Run does, until ctx is over. Errors that have a
// meaning for the caller are *IntegrityError, *NoServerError, *RefusedError,
// *InterruptedError and *segment.DiskError.
func Run(ctx context.Context, cfg Config, env Env) error {
	show := cfg.Progress == "always" || cfg.Progress == "auto" && env.Terminal.Size != nil
	screen := report.NewScreen(env.Stdout, report.NewLive(env.Stderr, env.Terminal, show))
	defer screen.Close(ctx)
	d, err := newDownload(cfg, env, screen)
	if err != nil {
		return err
	}
	defer d.lastWarnings()
	return d.page(d.run(ctx))
}

func (d *download) run(ctx context.Context) error {
	running, cancel := context.WithCancel(ctx)
	d.keepers.start(&d.tasks)
	err := d.loop(running)
	cancel()
	d.windUp()
	d.screen.Finish(ctx) // nothing waits for us any more: we can wait for a reader
	if err != nil {
		return d.fail(ctx, err)
	}
	path := d.complete
	if path == "" {
		if path, err = d.save(d.content.part.Finish); err != nil {
			return d.fail(ctx, err)
		}
	}
	d.finish(path)
	return nil
}

// warn tells what the transport warns of.
func (d *download) warn(text string) { d.tell.Printf("braid: %s", text) }

// lastWarnings tells what the run was too short for.
func (d *download) lastWarnings() {
	for {
		select {
		case w := <-d.env.Warnings:
			d.warn(w)
		default:
			return
		}
	}
}

func newDownload(cfg Config, env Env, screen *report.Screen) (*download, error) {
	now := time.Now()
	d := &download{
		cfg: cfg, env: env, screen: screen, tell: screen.Events(),
		events:   make(chan event, 256),
		keepers:  newKeepers(),
		lanes:    map[balance.Lane]*conn{},
		answered: now,
		view:     view{begun: now, block: now},
	}
	if cfg.HTML != "" {
		d.view.history = &report.History{}
		d.tell.Tee(func(line string) { d.view.history.Event(time.Since(d.view.begun), line) })
	}
	var err error
	if d.view.out, err = report.NewDownloadWriter(cfg.Report, d.screen.Stdout()); err != nil {
		return nil, err
	}
	var want *segment.Root
	if cfg.Digest != "" {
		root, err := segment.ParseRoot(cfg.Digest)
		if err != nil {
			return nil, err
		}
		want = &root
	}
	if cfg.Resume {
		names, err := segment.FindState(cfg.Output)
		if err != nil {
			return nil, err
		}
		d.partial = len(names) > 0
	}
	if err := segment.MakeDir(cfg.Output); err != nil {
		return nil, err
	}
	if cfg.Limit > 0 {
		burst := min(max(cfg.Limit/50, 4<<10), reportBytes)
		d.limiter = rate.NewLimiter(rate.Limit(cfg.Limit), int(burst))
	}
	for i, address := range cfg.Targets() {
		d.servers = append(d.servers, &server{index: i, address: address, state: seeking, telling: newTelling()})
	}
	d.ballot, d.telling = newBallot(len(d.servers), want), newTelling()
	return d, nil
}

// windUp waits for the goroutines, which have been told to end, and sees to what they
// still tell.
func (d *download) windUp() {
	ended := make(chan struct{})
	go func() {
		d.reading.Wait()
		d.keepers.end()
		d.tasks.Wait()
		close(ended)
	}()
	for {
		select {
		case e := <-d.events:
			d.late(e)
			continue
		case <-ended:
		}
		select {
		case e := <-d.events:
			d.late(e)
		default:
			return
		}
	}
}

// late closes what the end has overtaken: a connection that was dialled, a part
// that was opened. A segment that has verified and is written is worth keeping.
func (d *download) late(e event) {
	switch e := e.(type) {
	case dialed:
		if e.nc != nil {
			hangUp(e.nc)
		}
	case opened:
		e.outcome.release()
	case landed:
		if d.ours(e.c) {
			d.content.part.Mark(e.run)
		}
	}
}

// fail ends a download without the file; what has verified stays for -r.
func (d *download) fail(ctx context.Context, err error) error {
	state := ""
	switch {
	case d.content == nil || d.content.part == nil:
	case !d.worthKeeping():
		d.content.part.Discard()
	default:
		state = d.content.part.Path()
		if closeErr := d.content.part.Close(); closeErr != nil {
			d.tell.Printf("the state could not be saved: %v", closeErr)
		}
	}
	switch {
	case ctx.Err() != nil:
		return &InterruptedError{Path: state, Earlier: state == "" && d.earlier()}
	case state != "":
		return fmt.Errorf("%w (what has verified is kept in %s, -r goes on from there)", err, state)
	}
	return err
}

// earlier reports whether the folder has a partial download that this run has not touched.
func (d *download) earlier() bool {
	names, _ := segment.FindState(d.cfg.Output)
	return len(names) > 0
}

// worthKeeping reports whether -r may go on from the part file: not from one that was removed,
// nor from one of a content that was never decided, as -r would then take it for what is wanted.
func (d *download) worthKeeping() bool {
	c := d.content
	if c.part.Present() != nil {
		return false
	}
	return c.resumed || c.part.HaveBytes() > 0 && (d.decided || d.ballot.want != nil)
}
