package transport

import (
	"bufio"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// tlsPiece is how much is encrypted before it is written, in bytes: four
// records in one system call.
const tlsPiece = 64 << 10

// corkFull is how many bytes may wait in a cork before it takes no more: what a Write has left
// behind, and answers to thousands of key updates.
const corkFull = 4 * tlsPiece

// errCorkFull is no timeout: nobody should try again.
var errCorkFull = errors.New("tls: the other side asks for answers and does not read them")

// tlsConn is a tls.Conn that a write deadline does not break: crypto/tls
// writes into a cork, and the bytes wait there until they can go out.
type tlsConn struct {
	*tls.Conn
	raw  net.Conn
	cork *cork

	writing  sync.Mutex
	deadline deadline // of Write
	cut      atomic.Bool
	once     sync.Once
	closed   error // of the first Close
}

func newTLSConn(raw net.Conn, spare *sync.Pool, config *tls.Config, side func(net.Conn, *tls.Config) *tls.Conn) *tlsConn {
	k := &cork{Conn: raw, in: bufio.NewReaderSize(raw, tlsPiece), out: outbox{w: raw, spare: spare}}
	return &tlsConn{Conn: side(k, config), raw: raw, cork: k}
}

func (c *tlsConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, explain(err)
}

// Write implements net.Conn. With an error that is a timeout, what it counts
// as written is on its way as far as it can be: the next Write, CloseWrite or Close sends the rest.
func (c *tlsConn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.deadline.passed(); err != nil {
		return 0, err
	}
	if err := c.cork.flush(); err != nil {
		return 0, explain(err)
	}
	n := 0
	for n < len(p) {
		c.cork.hold(true)
		m, err := c.Conn.Write(p[n:min(len(p), n+tlsPiece)])
		c.cork.hold(false)
		n += m
		if err == nil {
			err = c.cork.flush()
		}
		if err != nil {
			return n, explain(err)
		}
	}
	return n, nil
}

// CloseWrite ends the sending half; the other side reads io.EOF.
func (c *tlsConn) CloseWrite() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.Conn.CloseWrite(); err != nil {
		return explain(err)
	}
	return c.cork.flush()
}

// Close implements net.Conn. It waits only a moment for a peer that takes nothing.
func (c *tlsConn) Close() error {
	c.once.Do(func() {
		switch {
		case c.cut.Load() || !c.writing.TryLock():
			c.closed = c.raw.Close()
			c.Conn.Close()
		default:
			c.raw.SetWriteDeadline(time.Now().Add(goodbye))
			c.closed = c.Conn.Close()
			c.writing.Unlock()
		}
	})
	return c.closed
}

// SetLinger is that of net.TCPConn. With 0, Close cuts the connection.
func (c *tlsConn) SetLinger(sec int) error {
	c.cut.Store(sec == 0)
	return setLinger(c.raw, sec)
}

// Hardy is that of the connection below.
func (c *tlsConn) Hardy() bool { return isHardy(c.raw) }

// Behind is that of the connection below.
func (c *tlsConn) Behind() bool { return isBehind(c.raw) }

// OutOfOrder is that of the connection below.
func (c *tlsConn) OutOfOrder() int { return outOfOrderOn(c.raw) }

// Hurry is that of the connection below.
func (c *tlsConn) Hurry(on bool) { setHurry(c.raw, on) }

// SetUnsent is that of the connection below.
func (c *tlsConn) SetUnsent(bytes int) error { return setUnsent(c.raw, bytes) }

// AwaitUnsent is that of the connection below.
func (c *tlsConn) AwaitUnsent() error { return awaitUnsent(c.raw) }

func (c *tlsConn) SetDeadline(t time.Time) error {
	c.deadline.set(t)
	return c.raw.SetDeadline(t)
}

func (c *tlsConn) SetWriteDeadline(t time.Time) error {
	c.deadline.set(t)
	return c.raw.SetWriteDeadline(t)
}

// cork is the connection below a tls.Conn.
type cork struct {
	net.Conn
	in *bufio.Reader

	mu   sync.Mutex
	out  outbox
	held bool
}

func (k *cork) Read(p []byte) (int, error) { return k.in.Read(p) }

// Write never fails by a deadline, which would end the TLS session. It fails when too much waits:
// crypto/tls answers a peer's key updates from inside Read, whatever has become of our own writes.
func (k *cork) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.out.rest) > corkFull {
		return 0, errCorkFull
	}
	k.out.rest = append(k.out.space(), p...)
	if !k.held {
		if err := k.out.flush(); err != nil && !isTimeout(err) {
			return 0, err
		}
	}
	return len(p), nil
}

// hold keeps what is written back until the next flush.
func (k *cork) hold(on bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held = on
}

func (k *cork) flush() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.out.flush()
}

// SetDeadline is for the tls.Conn, whose own deadlines are not the caller's.
func (k *cork) SetDeadline(time.Time) error { return nil }

// SetWriteDeadline is as SetDeadline.
func (k *cork) SetWriteDeadline(time.Time) error { return nil }
