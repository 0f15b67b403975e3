package transport

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// outbox holds bytes that are encoded and not yet written. A codec that has
// written half of what it encoded can not go back; so when a deadline passes
// in the middle, the rest waits here and goes out first the next time. It is not safe for
// concurrent use.
type outbox struct {
	w     io.Writer
	rest  []byte
	spare *sync.Pool // of *[]byte, of the transport: a connection that waits for nothing holds no space
}

// space is where more is appended to.
func (o *outbox) space() []byte {
	if o.rest == nil {
		if spare, ok := o.spare.Get().(*[]byte); ok {
			return *spare
		}
	}
	return o.rest
}

// flush writes what is held. What could not be written is held on.
func (o *outbox) flush() error {
	if len(o.rest) == 0 {
		return nil
	}
	n, err := o.w.Write(o.rest)
	if n < len(o.rest) {
		o.rest = append(o.rest[:0], o.rest[n:]...)
		return err
	}
	space := o.rest[:0]
	o.rest = nil
	o.spare.Put(&space)
	return err
}

// deadline remembers one, for connections that have to know whether it has
// passed before they encode anything.
type deadline struct{ at atomic.Pointer[time.Time] }

func (d *deadline) set(t time.Time) { d.at.Store(&t) }

// passed is os.ErrDeadlineExceeded when it has, as a net.Error.
func (d *deadline) passed() error {
	at := d.at.Load()
	if at == nil || at.IsZero() || time.Now().Before(*at) {
		return nil
	}
	return os.ErrDeadlineExceeded
}

// Saying goodbye: how long Close may take to write the last bytes, and how
// long a refused peer is read out, so that its unread bytes do not make the system
// cut the connection over the words that tell it why.
const (
	goodbye  = 100 * time.Millisecond
	farewell = time.Second
)

// lastWords tells a peer that speaks something else what it has found.
func lastWords(conn net.Conn, words []byte) {
	conn.SetDeadline(time.Now().Add(farewell))
	if _, err := conn.Write(words); err != nil {
		return
	}
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		io.CopyN(io.Discard, conn, 1<<20)
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// setLinger is SetLinger where a connection has it. With 0, Close cuts the
// connection as a crash would.
func setLinger(conn net.Conn, sec int) error {
	if l, ok := conn.(interface{ SetLinger(sec int) error }); ok {
		return l.SetLinger(sec)
	}
	return errors.ErrUnsupported
}

// What a connection may know of its way or have set there, whatever wraps it: see tcpConn, gathering and backlog.

// isHardy is Hardy where a connection has it.
func isHardy(conn net.Conn) bool {
	h, ok := conn.(interface{ Hardy() bool })
	return ok && h.Hardy()
}

// isBehind is Behind where a connection has it.
func isBehind(conn net.Conn) bool {
	b, ok := conn.(interface{ Behind() bool })
	return ok && b.Behind()
}

// outOfOrderOn is OutOfOrder where a connection has it.
func outOfOrderOn(conn net.Conn) int {
	if o, ok := conn.(interface{ OutOfOrder() int }); ok {
		return o.OutOfOrder()
	}
	return 0
}

// setHurry is Hurry where a connection has it.
func setHurry(conn net.Conn, on bool) {
	if h, ok := conn.(interface{ Hurry(on bool) }); ok {
		h.Hurry(on)
	}
}

// setUnsent is SetUnsent where a connection has it.
func setUnsent(conn net.Conn, bytes int) error {
	if u, ok := conn.(interface{ SetUnsent(bytes int) error }); ok {
		return u.SetUnsent(bytes)
	}
	return errors.ErrUnsupported
}

// awaitUnsent is AwaitUnsent where a connection has it.
func awaitUnsent(conn net.Conn) error {
	if u, ok := conn.(interface{ AwaitUnsent() error }); ok {
		return u.AwaitUnsent()
	}
	return nil
}
