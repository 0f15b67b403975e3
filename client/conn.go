package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"braid/balance"
	"braid/segment"
	"braid/wire"
)

// Time limits of a connection.
const (
	greetLimit = 10 * time.Second // preface and WELCOME
	writeLimit = time.Minute
	keepAlive  = 20 * time.Second // a PING when nothing else was sent for so long
)

// Received bytes are reported when so many have come, or so much time has
// passed since the last report: often enough for the balancer, without an event a packet.
const (
	reportBytes = 256 << 10
	reportTime  = 5 * time.Millisecond
)

// A read that brings little is followed by a pause, so that a slow link costs
// one wake-up for many packets.
const (
	littleRead = 16 << 10 // bytes
	readPause  = time.Millisecond
)

// queued bounds the messages that wait to be written. A server that does not
// read for so long is as good as dead.
const queued = 4096

// share is the first request, made before the size is known: part k of n, and
// of that no more than max bytes. parts 0: none.
type share struct {
	part, parts int
	max         int64
}

// span is a request as the reader checks it, in bytes of the file.
type span struct{ next, end int64 }

// store is where verified segments of one content go.
type store struct {
	manifest *segment.Manifest
	part     *segment.Part

	mu   sync.RWMutex // held for reading while a segment is written
	gone bool         // the content was given up
}

// discard gives up the content. Nothing is being written when the files go.
func (st *store) discard() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.gone = true
	st.part.Discard() // what stays behind is in nobody's way
}

// conn is one connection to a server: a lane. Its reader goroutine verifies
// and writes segments and tells the download, which owns everything else.
type conn struct {
	lane    balance.Lane
	server  *server
	nc      net.Conn
	share   share
	emit    func(event)
	limiter *rate.Limiter // of the whole download; nil: none
	out     chan wire.Message
	store   atomic.Pointer[store] // nil until the content is known

	mu    sync.Mutex
	asked map[uint32]*span
	order []uint32 // the ids in asked, as they were asked

	// Of the reader alone.
	layout   segment.Layout
	values   []byte // of the manifest, as far as it has come
	wanted   int64  // bytes of the manifest that are to come; 0: none
	buf      []byte // the segment that is coming
	pending  int    // bytes not reported yet
	reported time.Time

	begun  time.Time
	pinged atomic.Int64 // when the last PING was sent, ns since begun; 0: it was answered

	// Of the download alone.
	why     purpose
	welcome *wire.Welcome // nil before the greeting
	joined  bool          // the balancer knows it
	got     int64         // bytes of the file that have come
	rtt     time.Duration // the shortest that was seen
	held    []piece       // segments that came before the content was known
	told    bool          // it was asked for the manifest
	closed  bool          // the download has given it up
	lied    bool          // and said why: what it sent does not verify
}

// key is the content that the server has offered.
func (c *conn) key() key { return key{c.welcome.Root, c.welcome.Layout.Size} }

// piece is a segment that has not been verified yet.
type piece struct {
	index int
	data  []byte
}

func newConn(lane balance.Lane, s *server, nc net.Conn, first share, limiter *rate.Limiter, emit func(event)) *conn {
	return &conn{
		lane: lane, server: s, nc: nc, share: first, limiter: limiter, emit: emit, begun: time.Now(),
		out:   make(chan wire.Message, queued),
		asked: map[uint32]*span{},
	}
}

// run speaks with the server until the connection ends, one way or another,
// and says how: its last event is ended. It closes the connection.
func (c *conn) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { c.nc.Close() })
	defer stop()
	writing := make(chan error, 1)
	go func() {
		err := c.write(ctx)
		cancel()
		writing <- err
	}()
	err := c.read(ctx)
	c.report(time.Now())
	cancel()
	if werr := <-writing; werr != nil && !errors.Is(werr, context.Canceled) && errors.Is(err, net.ErrClosed) {
		err = werr
	}
	c.nc.Close()
	c.emit(ended{c, err})
}

// write sends the greeting and then what is put into out.
func (c *conn) write(ctx context.Context) error {
	preface := wire.Preface()
	b := wire.Append(preface[:], wire.Hello{
		Part: uint32(c.share.part), Parts: uint32(c.share.parts), Max: uint32(c.share.max),
	})
	idle := time.NewTimer(keepAlive)
	defer idle.Stop()
	for {
		c.nc.SetWriteDeadline(time.Now().Add(writeLimit))
		if _, err := c.nc.Write(b); err != nil {
			return err
		}
		b = b[:0]
		idle.Reset(keepAlive)
		select {
		case m := <-c.out:
			b = c.encode(b, m)
		case <-idle.C:
			b = c.encode(b, wire.Ping{})
		case <-ctx.Done():
			return ctx.Err()
		}
		for more := true; more; {
			select {
			case m := <-c.out:
				b = c.encode(b, m)
			default:
				more = false
			}
		}
	}
}

func (c *conn) encode(b []byte, m wire.Message) []byte {
	if m.Type() == wire.TypePing {
		c.pinged.CompareAndSwap(0, int64(time.Since(c.begun)))
	}
	return wire.Append(b, m)
}

// send queues a message. It reports false when the server has not read for so
// long that the connection should be given up.
func (c *conn) send(m wire.Message) bool {
	select {
	case c.out <- m:
		return true
	default:
		return false
	}
}

// ask requests a run; see send.
func (c *conn) ask(l segment.Layout, id uint32, run segment.Run) bool {
	c.expect(l, id, run)
	return c.send(wire.Request{ID: id, Run: run})
}

// expect notes that DATA of a request may come.
func (c *conn) expect(l segment.Layout, id uint32, run segment.Run) {
	begin := l.Offset(run.First)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked[id] = &span{next: begin, end: begin + l.RunBytes(run)}
	c.order = append(c.order, id)
}

// take checks a DATA header against what was asked. Requests are answered in
// order, so the ones before it are through.
func (c *conn) take(d wire.Data) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.asked[d.ID]
	if s == nil || d.Offset != s.next || int64(d.Len) > s.end-s.next {
		return &wire.ProtocolError{Reason: fmt.Sprintf("DATA of %d bytes at %d that nobody asked for (request %d)", d.Len, d.Offset, d.ID)}
	}
	for c.order[0] != d.ID {
		delete(c.asked, c.order[0])
		c.order = c.order[1:]
	}
	s.next += int64(d.Len)
	if s.next == s.end {
		delete(c.asked, d.ID)
		c.order = c.order[1:]
	}
	return nil
}

// read reads until the connection ends; the error is never nil.
func (c *conn) read(ctx context.Context) error {
	r := wire.NewReader(c.nc, wire.Server)
	if err := c.greet(r); err != nil {
		return err
	}
	for {
		m, err := r.Next()
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case wire.Data:
			if err := c.take(m); err != nil {
				return err
			}
			if err := c.readData(ctx, r, m); err != nil {
				return err
			}
		case wire.Manifest:
			if err := c.readManifest(m); err != nil {
				return err
			}
		case wire.Pong:
			if sent := c.pinged.Swap(0); sent != 0 {
				c.emit(ponged{c, time.Since(c.begun) - time.Duration(sent)})
			}
		case wire.Refuse:
			return &refusal{code: m.Code, text: m.Text}
		}
	}
}

// greet reads the preface and WELCOME, within a time limit.
func (c *conn) greet(r *wire.Reader) error {
	begun := time.Now()
	c.nc.SetReadDeadline(begun.Add(greetLimit))
	if err := r.Preface(); err != nil {
		return err
	}
	m, err := r.Next()
	if err != nil {
		return err
	}
	if m, ok := m.(wire.Refuse); ok {
		return &refusal{code: m.Code, text: m.Text}
	}
	w := m.(wire.Welcome)
	c.nc.SetReadDeadline(time.Time{})
	c.layout = w.Layout
	if c.share.parts > 0 {
		if run := segment.Share(w.Layout, c.share.part, c.share.parts, c.share.max); run.Count > 0 {
			c.expect(w.Layout, 0, run)
		}
	}
	if w.Manifest {
		c.wanted = segment.ManifestSize(w.Layout)
	}
	c.emit(welcomed{c, &w, time.Since(begun)})
	if w.Manifest && c.wanted == 0 { // an empty file

		c.emit(manifested{c: c})
	}
	return nil
}

// readManifest puts a piece of the manifest where it belongs.
func (c *conn) readManifest(m wire.Manifest) error {
	if c.wanted == 0 {
		// Asked for by the download, after the greeting.
		c.wanted = segment.ManifestSize(c.layout)
	}
	if m.Offset != int64(len(c.values)) || m.Offset+int64(len(m.Values)) > c.wanted {
		return &wire.ProtocolError{Reason: fmt.Sprintf("MANIFEST of %d bytes at %d, want the rest from %d to %d", len(m.Values), m.Offset, len(c.values), c.wanted)}
	}
	c.values = append(c.values, m.Values...)
	c.emit(overhead{c, len(m.Values)})
	if int64(len(c.values)) == c.wanted {
		// The download checks it against the root: that takes a while for a large one.
		c.emit(manifested{c: c, values: c.values})
	}
	return nil
}

// readData reads the file bytes of a DATA message into segments.
func (c *conn) readData(ctx context.Context, r *wire.Reader, d wire.Data) error {
	at := d.Offset
	for left := d.Len; left > 0; {
		i := int(at / c.layout.SegmentSize)
		size := c.layout.Len(i)
		begin := int(at - c.layout.Offset(i))
		if cap(c.buf) < size {
			c.buf = make([]byte, min(c.layout.SegmentSize, c.layout.Size))
		}
		n, err := c.readSome(ctx, r, c.buf[begin:min(size, begin+left)])
		if err != nil {
			return err
		}
		at, left = at+int64(n), left-n
		if begin+n == size {
			if err := c.landed(i, c.buf[:size]); err != nil {
				return err
			}
		}
	}
	return nil
}

// readSome reads once, within the limit of the download, and tells the
// download now and then how much has come.
func (c *conn) readSome(ctx context.Context, r io.Reader, p []byte) (int, error) {
	if c.limiter != nil {
		p = p[:min(len(p), c.limiter.Burst())]
	}
	n, err := r.Read(p)
	if err != nil {
		return n, err
	}
	if c.limiter != nil {
		if err := c.limiter.WaitN(ctx, n); err != nil {
			return n, err
		}
	}
	c.pending += n
	if n < len(p) && n < littleRead {
		time.Sleep(readPause)
	}
	if now := time.Now(); c.pending >= reportBytes || now.Sub(c.reported) >= reportTime {
		c.report(now)
	}
	return n, nil
}

func (c *conn) report(now time.Time) {
	if c.pending > 0 {
		c.emit(received{c, c.pending})
	}
	c.pending, c.reported = 0, now
}

// landed verifies and writes a whole segment, or holds it for later when the
// content is not known yet.
func (c *conn) landed(i int, data []byte) error {
	st := c.store.Load()
	if st == nil {
		c.buf = nil
		c.report(time.Now())
		c.emit(heldBack{c, piece{i, data}})
		return nil
	}
	n := c.pending
	c.pending, c.reported = 0, time.Now()
	outcome := keep(st, i, data)
	c.emit(landed{c, i, n, outcome})
	return outcome
}

// errCorrupt is a segment that does not verify, errGivenUp one of a content that
// is not wanted any more.
var (
	errCorrupt = errors.New("sent corrupt data")
	errGivenUp = errors.New("its content is not wanted any more")
)

// keep verifies a segment and writes it to its place.
func keep(st *store, i int, data []byte) error {
	if !st.manifest.Verify(i, data) {
		return fmt.Errorf("%w (segment %d)", errCorrupt, i)
	}
	st.mu.RLock()
	defer st.mu.RUnlock()
	if st.gone {
		return errGivenUp
	}
	return st.part.WriteSegment(i, data)
}

// refusal is a REFUSE message.
type refusal struct {
	code wire.Code
	text string
}

func (e *refusal) Error() string {
	if e.text == "" {
		return e.code.String()
	}
	return e.code.String() + ": " + e.text
}
