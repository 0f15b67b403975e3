// Package server runs n virtual servers, each with a full copy of one file:
// they accept, answer, and are shut down and started again from a console.
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
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
	source *segment.Source // nil: the file could not be hashed, or not yet

	live     *virtual           // nil: dead
	hashing  bool               // the file is being hashed for the first time; then the server is started
	starting context.CancelFunc // not nil while it is being started
	unwanted bool               // shut down while its file was being hashed, or it was being started
	again    bool               // and then started, which waits for the end of that
	failed   bool               // the last start came to nothing
	typed    bool               // it was started from the console, where an answer is due
	sent     int64              // file bytes of its earlier lives
	accepted int64              // connections of its earlier lives
	refused  int64              // of these
}

// pending reports whether the server is still on its way to be started.
func (s *slot) pending() bool { return s.hashing || s.starting != nil }

// up reports whether the server is alive, or will be if nothing goes wrong.
func (s *slot) up() bool { return s.live != nil || s.pending() && (!s.unwanted || s.again) }

// hashed is the outcome of hashing a file for the first time.
type hashed struct {
	path   string
	source *segment.Source
	err    error
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
	hashed  chan hashed
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
	h, err := newHost(cfg, env)
	if err != nil {
		cancel()
		return err
	}
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
	h.tasks.Go(func() { h.hashAll(ctx) })
	commands := make(chan command)
	if env.Stdin != nil {
		go readConsole(ctx, env.Stdin, len(h.slots), commands)
	}
	return h.run(ctx, commands)
}

// newHost returns a host whose servers wait for their files to be hashed.
func newHost(cfg Config, env Env) (*host, error) {
	status, err := report.NewStatusWriter(cfg.Report, env.Stdout)
	if err != nil {
		return nil, err
	}
	h := &host{
		cfg: cfg, env: env, status: status,
		hashed: make(chan hashed), started: make(chan started), asks: make(chan chan<- []observation),
	}
	for i, path := range cfg.Files {
		h.slots = append(h.slots, &slot{number: i + 1, port: cfg.Ports[i], limit: cfg.Limits[i], path: path, hashing: true})
	}
	return h, nil
}

// event tells something of one virtual server on stderr.
func (h *host) event(s *slot, format string, args ...any) {
	fmt.Fprintf(h.env.Stderr, "Server %d (port %d): %s\n", s.number, s.port, report.Clean(fmt.Sprintf(format, args...)))
}

// hashAll hashes the files. One that several servers serve is hashed once.
func (h *host) hashAll(ctx context.Context) {
	done := map[string]bool{}
	for _, path := range h.cfg.Files {
		if done[path] {
			continue
		}
		done[path] = true
		source, err := h.hash(ctx, path)
		select {
		case h.hashed <- hashed{path: path, source: source, err: err}:
		case <-ctx.Done():
			return
		}
	}
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

// ahead is how long commands wait for the first status block: those that a script
// has written already are for servers that it would see. A person is not as fast.
const ahead = 500 * time.Millisecond

// run owns the slots until the end. It fails when not one server could be started.
func (h *host) run(ctx context.Context, commands <-chan command) error {
	patience := time.NewTimer(ahead)
	defer patience.Stop()
	var (
		heeded <-chan command   // nil: not yet
		ticks  <-chan time.Time // nil: before the first block
	)
	for ctx.Err() == nil {
		if ticks == nil && !slices.ContainsFunc(h.slots, (*slot).pending) {
			if !slices.ContainsFunc(h.slots, func(s *slot) bool { return !s.failed }) {
				return errNoneAlive
			}
			h.report()
			tick := time.NewTicker(h.cfg.Interval)
			defer tick.Stop()
			ticks, heeded = tick.C, commands
		}
		select {
		case <-ctx.Done():
		case <-patience.C:
			heeded = commands
		case <-ticks:
			h.report()
		case f := <-h.hashed:
			h.settleFile(ctx, f)
		case s := <-h.started:
			h.settle(ctx, s)
		case answer := <-h.asks:
			answer <- h.observe()
		case c := <-heeded:
			if c.verb == verbQuit {
				return nil
			}
			h.obey(ctx, c)
		}
	}
	return nil
}

func (h *host) obey(ctx context.Context, c command) {
	if c.verb == verbUnknown {
		fmt.Fprintln(h.env.Stderr, help(len(h.slots)))
		return
	}
	s := h.slots[c.server-1]
	switch {
	case c.verb == verbStart && s.live != nil:
		h.event(s, "is running already")
	case c.verb == verbStart && s.up():
		h.event(s, "is being started already")
	case c.verb == verbStart:
		s.typed = true
		if s.pending() {
			s.again = true
		} else {
			h.start(ctx, s)
		}
	case !s.up():
		h.event(s, "is shut down already")
	default:
		h.shutDown(s)
		h.event(s, "shut down")
	}
}

// shutDown ends a virtual server that is up.
func (h *host) shutDown(s *slot) {
	if s.live != nil {
		h.stop(s)
		return
	}
	s.unwanted, s.again = true, false
	if s.starting != nil {
		s.starting()
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

// settleFile takes the outcome of hashing a file, and starts the servers that wait for it.
func (h *host) settleFile(ctx context.Context, f hashed) {
	for _, s := range h.slots {
		if s.path != f.path {
			continue
		}
		wanted := s.up()
		s.source = f.source
		s.hashing, s.unwanted, s.again = false, false, false
		switch {
		case !wanted:
		case f.err != nil:
			h.fail(s, f.err)
		default:
			h.start(ctx, s)
		}
	}
}

// settle takes the outcome of a start.
func (h *host) settle(ctx context.Context, r started) {
	s := r.slot
	unwanted, again := s.unwanted, s.again
	s.starting()
	s.starting, s.unwanted, s.again, s.failed = nil, false, false, false
	if unwanted && r.live != nil {
		r.live.listener.Close()
	}
	if again {
		h.start(ctx, s)
	}
	switch {
	case unwanted:
		return
	case r.err != nil:
		h.fail(s, r.err)
		return
	}
	s.source, s.live = r.live.source, r.live
	s.live.start()
	if s.typed {
		h.event(s, "started")
	}
}

// fail takes note of a start that came to nothing.
func (h *host) fail(s *slot, err error) {
	s.failed = true
	h.event(s, "dead: %v", err)
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
