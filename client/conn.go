package client

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
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

// queued bounds the messages that wait to be written. A server that does not
// read for so long is as good as dead.
const queued = 4096

// share is the first request, made before the size is known: part k of n, and
// of that no more than max bytes. parts 0: none.
type share struct {
	part, parts int
	max         int64
}

// run is what it comes to in a file of that layout.
func (s share) run(l segment.Layout) segment.Run { return segment.Share(l, s.part, s.parts, s.max) }

// span is a request as the reader checks it, in bytes of the file.
type span struct{ next, end int64 }

// conn is one connection to a server: a lane. Its reader goroutine sees to it that
// segments are kept and tells the download, which owns everything else.
type conn struct {
	lane    balance.Lane
	server  *server
	nc      net.Conn
	share   share
	emit    func(event)
	limiter *rate.Limiter // of the whole download; nil: none
	out     chan wire.Message
	keepers *keepers
	store   atomic.Pointer[store] // nil until the content is known
	told    atomic.Bool           // it was asked for the manifest
	keeping atomic.Int32          // pieces that are being verified and written
	kept    sync.WaitGroup        // for those

	mu    sync.Mutex
	asked map[uint32]*span
	order []uint32 // the ids in asked, as they were asked

	// Of the reader alone.
	layout   segment.Layout
	values   []byte // of the manifest, as far as it has come
	wanted   int64  // bytes of the manifest that are to come; 0: none
	buf      []byte // the segments that are coming, see batch
	pending  int    // bytes not reported yet
	req      uint32 // what they are of
	offset   int64  // up to where
	reported time.Time

	begun  time.Time
	pings  atomic.Int32              // that were sent and not answered
	timed  atomic.Pointer[timedPing] // one of those; nil: none
	pinged uint64                    // of the writer alone: PINGs that were sent

	// Of the download alone.
	why     purpose
	welcome *wire.Welcome // nil before the greeting
	greeted time.Time     // when it came
	joined  bool          // the balancer knows it
	got     int64         // bytes of the file that have come
	rtt     time.Duration // the shortest that was seen
	held    []piece       // what came before the content was known
	closed  bool          // the download has given it up
	lied    bool          // and said why: what it sent does not verify

	manifest   *segment.Manifest // that has come on it, and folds up to the root
	challenged bool              // it was asked for a proof of the size, see proof.go
	proving    bool              // the proof has come
}

// timedPing is a PING whose answer tells the round trip.
type timedPing struct {
	token [8]byte
	sent  time.Time
}

// key is the content that the server has offered.
func (c *conn) key() key { return key{c.welcome.Root, c.welcome.Layout.Size} }

// piece is a run of segments that have not been verified yet.
type piece struct {
	req  uint32 // what it came for
	run  segment.Run
	data []byte
}

func newConn(lane balance.Lane, s *server, nc net.Conn, first share, limiter *rate.Limiter, keepers *keepers, emit func(event)) *conn {
	return &conn{
		lane: lane, server: s, nc: nc, share: first, limiter: limiter, keepers: keepers, emit: emit, begun: time.Now(),
		out:   make(chan wire.Message, queued),
		asked: map[uint32]*span{},
	}
}

// run speaks with the server until the connection ends, one way or another,
// and says how: its last event is ended. It closes the connection.
func (c *conn) run(ctx context.Context) {
	c.keepers.readers.Add(1)
	defer c.keepers.readers.Add(-1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { hangUp(c.nc) })
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
	hangUp(c.nc)
	c.kept.Wait()
	c.keepers.buffers.put(c.buf)
	c.emit(ended{c, err})
}

// hangUp closes a connection at once: nothing that is under way to the server matters any more, and
// over quic a polite end takes as long as what the server has sent.
func hangUp(nc net.Conn) {
	if l, ok := nc.(interface{ SetLinger(sec int) error }); ok {
		_ = l.SetLinger(0)
	}
	nc.Close()
}

// write sends the greeting, with what has been put into out before, and then what is put there.
func (c *conn) write(ctx context.Context) error {
	preface := wire.Preface()
	b := wire.Append(preface[:], wire.Hello{
		Part: uint32(c.share.part), Parts: uint32(c.share.parts), Max: uint32(c.share.max),
	})
	idle := time.NewTimer(keepAlive)
	defer idle.Stop()
	for {
		for more := true; more; {
			select {
			case m := <-c.out:
				b = c.encode(b, m)
			default:
				more = false
			}
		}
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
	}
}

func (c *conn) encode(b []byte, m wire.Message) []byte {
	if ping, ok := m.(wire.Ping); ok {
		c.pinged++
		binary.BigEndian.PutUint64(ping.Token[:], c.pinged)
		c.pings.Add(1)
		c.timed.CompareAndSwap(nil, &timedPing{ping.Token, time.Now()})
		m = ping
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

// behind reports whether more has come than has been read, as far as the transport can tell.
func (c *conn) behind() bool {
	b, ok := c.nc.(interface{ Behind() bool })
	return ok && b.Behind()
}

// outOfOrder is how many bytes have come behind some that were lost, as far as the transport can tell.
func (c *conn) outOfOrder() int64 {
	if o, ok := c.nc.(interface{ OutOfOrder() int }); ok {
		return int64(o.OutOfOrder())
	}
	return 0
}

// hurry has reads wait for nothing but the first byte, or again for more, where the transport does so.
func (c *conn) hurry(on bool) {
	if h, ok := c.nc.(interface{ Hurry(on bool) }); ok {
		h.Hurry(on)
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
