package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"braid/segment"
	"braid/wire"
)

// recheck is how often a sender looks whether the file is still the one that
// was hashed. The client verifies every segment; this is to tell it why.
const recheck = 100 * time.Millisecond

// How many messages that ask for nothing a client may send: a second, and at once. Compressed they cost
// it next to nothing, a million of them 3 KB.
const (
	idleTalkRate  = 1000
	idleTalkBurst = 4096
)

// request is a run of the file that a client waits for, in bytes.
type request struct {
	id         uint32
	first      int64 // where the run begins: cancels count from here
	begin, end int64 // what of it has not been sent
}

// sender writes to one client. Its run goroutine owns everything but in,
// done and rested.
type sender struct {
	*session
	file     *os.File
	manifest *segment.Manifest
	in       chan wire.Message // from the reader
	done     chan struct{}     // closed when run has ended
	begun    time.Time
	rested   atomic.Int64 // ns after begun since when there is nothing to send; 0: there is

	queue   []request
	lastID  uint32
	values  []byte // of the manifest, still to be sent
	asked   bool   // the manifest has been asked for
	checked time.Time
	pace    pace
	talk    *rate.Limiter // messages that ask for nothing
	earned  int           // bytes that the limit has let through and that were not sent yet
	buf     []byte
	body    []byte // for connections without sendfile: file bytes from segment.Skew on, the header right before them
}

func newSender(s *session, file *os.File) *sender {
	return &sender{
		session:  s,
		file:     file,
		manifest: s.source.Manifest(),
		in:       make(chan wire.Message, 64),
		done:     make(chan struct{}),
		begun:    time.Now(),
		checked:  time.Now(),
		pace:     newPace(s.conn),
		talk:     rate.NewLimiter(idleTalkRate, idleTalkBurst),
	}
}

// idleSince tells since when there has been nothing to send: now, if there is.
func (t *sender) idleSince() time.Time {
	if rested := t.rested.Load(); rested != 0 {
		return t.begun.Add(time.Duration(rested)) // of the monotonic clock, whatever the other one does
	}
	return time.Now()
}

// run sends until ctx ends or the connection breaks.
func (t *sender) run(ctx context.Context, hello wire.Hello) error {
	defer close(t.done)
	if err := t.welcome(hello); err != nil {
		return err
	}
	for {
		if err := t.ready(); err != nil {
			return err
		}
		if err := t.heed(ctx); err != nil {
			return err
		}
		n := t.next()
		if t.limiter != nil && t.earned < n {
			if err := t.earn(ctx, n); err != nil {
				return err
			}
			continue // a cancel that came meanwhile may leave less to send
		}
		t.earned = max(t.earned-n, 0)
		if err := t.send(n); err != nil {
			return err
		}
	}
}

// ready waits, if there is something to send, until the socket can do with more. A socket that always
// can leaves a turn to the others all the same: to the reader, which may have a cancel, and to the
// connections of other clients, which else wait until the runtime takes the turn away, 10 ms later.
func (t *sender) ready() error {
	if !t.busy() {
		return nil
	}
	runtime.Gosched()
	t.conn.SetWriteDeadline(time.Now().Add(writeLimit))
	return t.pace.await()
}

// busy reports whether there is something to send.
func (t *sender) busy() bool { return len(t.queue) > 0 || len(t.values) > 0 }

// next is how much of manifest or file the next message carries, in bytes.
func (t *sender) next() int {
	frame := t.pace.frame()
	if t.limiter != nil {
		frame = min(frame, max(t.limiter.Burst()/pieces, 1))
	}
	if len(t.values) > 0 {
		return min(len(t.values), wire.MaxManifest, max(frame&^31, 32))
	}
	return int(min(int64(frame), t.queue[0].end-t.queue[0].begin))
}

// send sends the next message.
func (t *sender) send(n int) error {
	if len(t.values) > 0 {
		return t.sendManifest(n)
	}
	return t.sendData(n)
}

// welcome answers the client's greeting.
func (t *sender) welcome(hello wire.Hello) error {
	layout := t.manifest.Layout()
	values := t.manifest.Values()
	preface := wire.Preface()
	b := wire.Append(preface[:], wire.Welcome{
		Layout: layout, Root: t.manifest.Root(), Manifest: t.inline(), Name: t.source.Name(), Hardy: hardy(t.conn),
	})
	if t.inline() && len(values) > 0 {
		b = wire.Append(b, wire.Manifest{Values: values})
	}
	t.forgo()
	if hello.Parts > 0 && hello.Max > 0 {
		t.push(0, segment.Share(layout, int(hello.Part), int(hello.Parts), int64(hello.Max)))
	}
	return t.write(b)
}

// inline reports whether the manifest is so short that it follows WELCOME unasked.
func (t *sender) inline() bool { return len(t.manifest.Values()) <= wire.InlineManifest }

// hardy reports whether the transport says that a connection's sender does not
// take every lost packet for a full link.
func hardy(c net.Conn) bool {
	h, ok := c.(interface{ Hardy() bool })
	return ok && h.Hardy()
}

// heed takes in what the client has asked since, and waits while there is
// nothing to send.
func (t *sender) heed(ctx context.Context) error {
	for {
		if t.busy() {
			select {
			case m := <-t.in:
				if err := t.handle(m); err != nil {
					return err
				}
				continue
			case <-t.ending:
				return t.sayGoodbye()
			case <-ctx.Done():
				return ctx.Err()
			default:
				return nil
			}
		}
		t.pace.pause()
		t.body, t.buf = nil, nil // a thousand clients that wait must not hold a message each
		t.rested.Store(max(int64(time.Since(t.begun)), 1))
		select {
		case m := <-t.in:
			t.rested.Store(0)
			t.forgo()
			if err := t.handle(m); err != nil {
				return err
			}
		case <-t.ending:
			return t.sayGoodbye()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// handle takes in a message of the client's. An error ends the connection.
func (t *sender) handle(m wire.Message) error {
	switch m := m.(type) {
	case wire.Request:
		return t.enqueue(m)
	case wire.Cancel:
		if !t.cancel(m) {
			return t.idleTalk()
		}
	case wire.Ping:
		if err := t.idleTalk(); err != nil {
			return err
		}
		return t.write(wire.Append(nil, wire.Pong(m)))
	case wire.GetManifest:
		if t.asked {
			return t.stop(wire.BadRequest, "the manifest was asked for twice")
		}
		t.asked = true
		if !t.inline() {
			t.values = t.manifest.Values()
		}
	case wire.Refuse:
		return t.stop(m.Code, m.Text)
	}
	return nil
}

// stop tells the client why this is the end.
func (t *sender) stop(code wire.Code, text string) error {
	if err := t.write(wire.Append(nil, wire.Refuse{Code: code, Text: text})); err != nil {
		return err
	}
	return fmt.Errorf("%w: %v: %s", errRefused, code, text)
}

// sayGoodbye tells the client that the server ends, so that it need not guess.
func (t *sender) sayGoodbye() error {
	if err := t.stop(wire.Shutdown, ""); !errors.Is(err, errRefused) {
		return err
	}
	return errEnding
}

// enqueue queues what a client asks for; one that breaks a rule is told which.
func (t *sender) enqueue(m wire.Request) error {
	count := t.manifest.Layout().Count()
	switch {
	case m.ID <= t.lastID:
		return t.stop(wire.BadRequest, fmt.Sprintf("request id %d after %d", m.ID, t.lastID))
	case m.Run.First >= count || m.Run.Count > count-m.Run.First:
		return t.stop(wire.BadRequest, fmt.Sprintf("segments %d+%d of a file of %d", m.Run.First, m.Run.Count, count))
	case len(t.queue) >= wire.MaxWaiting:
		return t.stop(wire.BadRequest, fmt.Sprintf("more than %d requests are waiting", wire.MaxWaiting))
	}
	t.lastID = m.ID
	t.push(m.ID, m.Run)
	return nil
}

// push queues a run, if there is anything in it.
func (t *sender) push(id uint32, run segment.Run) {
	if run.Count == 0 {
		return
	}
	layout := t.manifest.Layout()
	begin := layout.Offset(run.First)
	t.queue = append(t.queue, request{id: id, first: begin, begin: begin, end: begin + layout.RunBytes(run)})
}

// idleTalk counts a message that asks for nothing. Who sends them without end is told that it is enough.
func (t *sender) idleTalk() error {
	if t.talk.Allow() {
		return nil
	}
	return t.stop(wire.BadRequest, "too many messages that ask for nothing")
}

// cancel shortens a request that is waiting still, and reports whether it did.
func (t *sender) cancel(m wire.Cancel) bool {
	i, ok := slices.BinarySearchFunc(t.queue, m.ID, func(q request, id uint32) int { return cmp.Compare(q.id, id) })
	if !ok {
		return false
	}
	q := &t.queue[i]
	end := q.first + int64(m.Keep)*t.manifest.Layout().SegmentSize
	if end >= q.end {
		return false
	}
	q.end = end
	if q.end <= q.begin {
		t.queue = slices.Delete(t.queue, i, i+1)
	}
	return true
}

// sendManifest sends the next n bytes of the manifest.
func (t *sender) sendManifest(n int) error {
	all := t.manifest.Values()
	t.buf = wire.Append(t.buf[:0], wire.Manifest{Offset: int64(len(all) - len(t.values)), Values: t.values[:n]})
	t.values = t.values[n:]
	return t.write(t.buf)
}

// sendData sends a DATA message of n bytes of the request whose turn it is.
func (t *sender) sendData(n int) error {
	now := time.Now()
	if now.Sub(t.checked) > recheck {
		t.checked = now
		if err := t.source.Unchanged(t.file); err != nil {
			return t.stopChanged(err)
		}
	}
	q := &t.queue[0]
	t.buf = wire.Append(t.buf[:0], wire.Data{ID: q.id, Offset: q.begin, Len: n})
	if err := t.writeFile(q.begin, n); err != nil {
		return err
	}
	t.pace.wrote(n, time.Now())
	t.sent(n)
	q.begin += int64(n)
	if q.begin >= q.end {
		t.queue = slices.Delete(t.queue, 0, 1)
	}
	return nil
}

// writeFile sends the header in buf and n bytes of the file at off. A
// connection that can (a *net.TCPConn) takes them by sendfile.
func (t *sender) writeFile(off int64, n int) error {
	t.conn.SetWriteDeadline(time.Now().Add(writeLimit))
	if _, ok := t.conn.(io.ReaderFrom); !ok {
		return t.writeCopied(off, n)
	}
	if _, err := t.file.Seek(off, io.SeekStart); err != nil {
		return err
	}
	if _, err := t.conn.Write(t.buf); err != nil {
		return err
	}
	sent, err := io.Copy(t.conn, io.LimitReader(t.file, int64(n)))
	if err == nil && sent < int64(n) {
		// The promised bytes do not exist any more: only cutting the
		// connection tells the client.
		t.changed(t.shrunk())
		return segment.ErrChanged
	}
	if err != nil {
		// Sendfile does not tell whether it was the disk.
		if _, readErr := t.file.ReadAt(make([]byte, 1), off+sent); readErr != nil && readErr != io.EOF {
			return readErr
		}
	}
	return err
}

// writeCopied sends header and file bytes in one Write.
func (t *sender) writeCopied(off int64, n int) error {
	t.body = slices.Grow(t.body[:0], segment.Skew+n)[:segment.Skew+n]
	switch got, err := t.file.ReadAt(t.body[segment.Skew:], off); {
	case got < n && err == io.EOF:
		return t.stopChanged(t.shrunk())
	case got < n:
		return err
	}
	message := t.body[segment.Skew-len(t.buf):]
	copy(message, t.buf)
	_, err := t.conn.Write(message)
	return err
}

// shrunk is the error of a file that has not the bytes any more that it had.
func (t *sender) shrunk() error { return fmt.Errorf("%s: %w", t.source.Path(), segment.ErrChanged) }

// stopChanged ends the connection because of what err tells of the file.
func (t *sender) stopChanged(err error) error {
	t.changed(err)
	if err := t.stop(wire.Changed, changedText); !errors.Is(err, errRefused) {
		return err
	}
	return errChanged
}

func (t *sender) write(b []byte) error {
	t.conn.SetWriteDeadline(time.Now().Add(writeLimit))
	_, err := t.conn.Write(b)
	return err
}
