// Package server runs n virtual servers, each with a full copy of one file:
// they accept, answer, and are shut down and started again from a console.
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"braid/report"
	"braid/segment"
)

// errNoneAlive means that not one virtual server could be started.
var errNoneAlive = errors.New("no virtual server could be started")

// slot is the place of one virtual server, alive or dead.
type slot struct {
	number int // from 1
	port   int
	limit  int64 // bytes/s, 0: none
	path   string
	source *segment.Source // nil: the file could not be hashed

	live     *virtual           // nil: dead
	starting context.CancelFunc // not nil while it is being started
	unwanted bool               // shut down while it was being started
	again    bool               // and then started, which waits for the end of that
	sent     int64              // file bytes of its earlier lives
	accepted int64              // connections of its earlier lives
	refused  int64              // of these
}

// started is the outcome of starting a virtual server.
type started struct {
	slot *slot
	live *virtual
	err  error
}

// host owns all virtual servers. Its run goroutine alone touches the slots.
type host struct {
	cfg     Config
	env     Env
	status  *report.StatusWriter
	slots   []*slot
	started chan started
	asks    chan chan<- []observation // of --metrics
	tasks   sync.WaitGroup
}

// Run serves until ctx ends or Q is typed; that is no error. It returns when
// every connection is closed and every goroutine has ended, but the console's, and those that
// wait for a disk that hangs or for whoever should read an output.
// The error says why nothing could be served.
func Run(ctx context.Context, cfg Config, env Env) error {
	ctx, cancel := context.WithCancel(ctx)
	stdout, stderr := report.NewPrinter(env.Stdout), report.NewPrinter(env.Stderr)
	defer stdout.Close(ctx) // nobody waits for a reader: ctx is over by then
	defer stderr.Close(ctx)
	env.Stdout, env.Stderr = stdout, stderr
	status, err := report.NewServer(cfg.Report, env.Stdout)
	if err != nil {
		cancel()
		return err
	}
	h := &host{cfg: cfg, env: env, status: status, started: make(chan started), asks: make(chan chan<- []observation)}
	defer func() {
		cancel()
		h.close()
	}()
	if cfg.Metrics != "" {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Metrics)
		if err != nil {
			return fmt.Errorf("--metrics: %w", err)
		}
		h.tasks.Go(func() { h.watch(ctx, l) })
	}
	if err := h.open(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	if err := h.startAll(ctx); err != nil {
		return err
	}
	commands := make(chan command)
	if env.Stdin != nil {
		go readConsole(ctx, env.Stdin, len(h.slots), commands)
	}
	h.run(ctx, commands)
	return nil
}

// event tells something of one virtual server on stderr.
func (h *host) event(s *slot, format string, args ...any) {
	fmt.Fprintf(h.env.Stderr, "Server %d (port %d): %s\n", s.number, s.port, report.Clean(fmt.Sprintf(format, args...)))
}

// open makes the slots. A file that several of them serve is hashed once; one that cannot be
// is the trouble of these alone. The error is ctx's.
func (h *host) open(ctx context.Context) error {
	type outcome struct {
		source *segment.Source
		err    error
	}
	hashed := map[string]outcome{}
	for i, path := range h.cfg.Files {
		o, done := hashed[path]
		if !done {
			o.source, o.err = h.hash(ctx, path)
			hashed[path] = o
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s := &slot{number: i + 1, port: h.cfg.Ports[i], limit: h.cfg.Limits[i], path: path, source: o.source}
		if o.err != nil {
			h.event(s, "dead: %v", o.err)
		}
		h.slots = append(h.slots, s)
	}
	return nil
}

// hash hashes a file, and tells how far it has come.
func (h *host) hash(ctx context.Context, path string) (*segment.Source, error) {
	progress := hashProgress{w: h.env.Stderr, path: path, begun: time.Now()}
	source, err := segment.OpenSource(ctx, path, progress.show)
	if err == nil {
		progress.end()
	}
	return source, err
}

// startAll starts every virtual server that has a file; it fails when none came alive.
func (h *host) startAll(ctx context.Context) error {
	begun, alive := 0, 0
	for _, s := range h.slots {
		if s.source != nil {
			h.start(ctx, s)
			begun++
		}
	}
	for range begun {
		if h.settle(ctx, <-h.started) {
			alive++
		}
	}
	if alive == 0 && ctx.Err() == nil {
		return errNoneAlive
	}
	return nil
}

// run owns the slots until the end.
func (h *host) run(ctx context.Context, commands <-chan command) {
	h.report()
	tick := time.NewTicker(h.cfg.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			h.report()
		case s := <-h.started:
			if h.settle(ctx, s) {
				h.event(s.slot, "started")
			}
		case answer := <-h.asks:
			answer <- h.observe()
		case c := <-commands:
			if c.verb == verbQuit {
				return
			}
			h.obey(ctx, c)
		}
	}
}

func (h *host) obey(ctx context.Context, c command) {
	if c.verb == verbUnknown {
		fmt.Fprintf(h.env.Stderr, "commands: E1…E%d shut a server down, S1…S%[1]d start it again, Q ends the program\n", len(h.slots))
		return
	}
	s := h.slots[c.server-1]
	up := s.live != nil || s.starting != nil && (!s.unwanted || s.again)
	switch {
	case c.verb == verbStart && up:
		h.event(s, "is running already")
	case c.verb == verbStart && s.starting != nil:
		s.again = true
	case c.verb == verbStart:
		h.start(ctx, s)
	case !up:
		h.event(s, "is shut down already")
	case s.starting != nil:
		s.starting()
		s.unwanted, s.again = true, false
		h.event(s, "shut down")
	default:
		h.stop(s)
		h.event(s, "shut down")
	}
}

// start starts a virtual server beside the owner: if its file has changed,
// that takes as long as hashing it again.
func (h *host) start(ctx context.Context, s *slot) {
	ctx, s.starting = context.WithCancel(ctx)
	source := s.source
	h.tasks.Go(func() {
		live, err := h.bring(ctx, s, source)
		h.started <- started{slot: s, live: live, err: err}
	})
}

// bring opens the file and the port of slot s. It reads only what never
// changes of the slot.
func (h *host) bring(ctx context.Context, s *slot, source *segment.Source) (*virtual, error) {
	own, err := (*segment.Source)(nil), segment.ErrChanged
	if source != nil {
		own, err = source.Again()
	}
	if errors.Is(err, segment.ErrChanged) {
		own, err = h.hash(ctx, s.path)
	}
	if err != nil {
		return nil, err
	}
	listener, err := h.env.Transport.Listen(ctx, net.JoinHostPort(h.cfg.Bind, strconv.Itoa(s.port)))
	if err != nil {
		return nil, err
	}
	return &virtual{
		source:   own,
		listener: listener,
		limiter:  limiterFor(s.limit),
		maxConns: h.cfg.MaxConns,
		event:    func(format string, args ...any) { h.event(s, format, args...) },
	}, nil
}

// settle takes the outcome of a start and reports whether the server is alive.
func (h *host) settle(ctx context.Context, r started) bool {
	s := r.slot
	unwanted, again := s.unwanted, s.again
	s.starting()
	s.starting, s.unwanted, s.again = nil, false, false
	if unwanted && r.live != nil {
		r.live.listener.Close()
	}
	if again {
		h.start(ctx, s)
	}
	switch {
	case unwanted:
		return false
	case r.err != nil:
		h.event(s, "dead: %v", r.err)
		return false
	}
	s.source, s.live = r.live.source, r.live
	s.live.start()
	return true
}

// stop cuts a virtual server off, as a crash would.
func (h *host) stop(s *slot) {
	s.live.cut()
	h.tasks.Go(s.live.sessions.Wait)
	s.sent += s.live.sent.Load()
	s.accepted += s.live.accepted.Load()
	s.refused += s.live.refused.Load()
	s.live = nil
}

// hung is how long an end waits for what waits for a disk.
const hung = 5 * time.Second

// close ends everything that is still running. The context has ended.
func (h *host) close() {
	h.settleAll()
	var ended []<-chan struct{}
	for _, s := range h.slots {
		if s.live != nil {
			ended = append(ended, s.live.end())
		}
	}
	await(ended, goodbye)
	for _, s := range h.slots {
		if s.live != nil {
			s.live.cut()
		}
	}
	await(ended, hung)
}

// settleAll waits for what is being started or has been cut off.
func (h *host) settleAll() {
	settled := make(chan struct{})
	go func() {
		h.tasks.Wait()
		close(settled)
	}()
	late := time.NewTimer(hung)
	defer late.Stop()
	for {
		select {
		case r := <-h.started:
			if r.live != nil {
				r.live.listener.Close()
			}
		case <-settled:
			return
		case <-late.C:
			return
		}
	}
}

// await waits until all is over, but no longer than limit.
func await(all []<-chan struct{}, limit time.Duration) {
	late := time.NewTimer(limit)
	defer late.Stop()
	for _, over := range all {
		select {
		case <-over:
		case <-late.C:
			return
		}
	}
}

// report writes one status block.
func (h *host) report() {
	var all []report.VirtualServer
	for _, o := range h.observe() {
		all = append(all, o.VirtualServer)
	}
	h.status.Status(all)
}
