package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"
)

// quicLinger is how long a QUIC connection outlives its stream at most, while
// the other side has not taken everything or has not said so. Each holds about 70 KB and is not among
// those that a server counts: where clients never say so and there are many, it is shorter.
const (
	quicLinger    = 10 * time.Second
	manyLingering = 256 // accepted ones
	shortLinger   = time.Second
)

// quicConn is the one stream of a QUIC connection.
type quicConn struct {
	stream    *quic.Stream
	quic      *quic.Conn
	transport *quicTransport
	dialed    bool
	release   func() // frees the socket
	backlog

	writing sync.Mutex
	cut     atomic.Bool
	once    sync.Once

	mu     sync.Mutex // closed, and the deadlines: after Close they stay in the past
	closed bool
}

func (c *quicConn) Read(p []byte) (int, error) {
	c.begin()
	defer c.end()
	n, err := c.stream.Read(p)
	c.found(n, len(p))
	return n, c.explain(err)
}

func (c *quicConn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	n, err := c.stream.Write(p)
	return n, c.explain(err)
}

// CloseWrite ends the sending half; the other side reads io.EOF.
func (c *quicConn) CloseWrite() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.explain(c.stream.Close())
}

// Close implements net.Conn. It does not wait: the QUIC connection lingers
// until the other side has all that was written.
func (c *quicConn) Close() error {
	err := c.fail("close", net.ErrClosed)
	c.once.Do(func() {
		err = nil
		c.mu.Lock()
		c.closed = true
		c.stream.SetDeadline(time.Unix(1, 0)) // ends a Read and a Write
		c.mu.Unlock()
		if c.cut.Load() {
			c.quic.CloseWithError(quicCut, "")
			c.release()
			return
		}
		c.writing.Lock()
		c.stream.Close() // fails when the other side has closed before: then it wants nothing more
		c.writing.Unlock()
		c.stream.CancelRead(0)
		c.transport.linger(c.linger)
	})
	return err
}

// linger closes the QUIC connection when the stream has ended on both sides.
// Closing it sooner would drop what is in flight, and what has arrived and not been read.
// The listening side allows one stream at a time, and so the second one, which
// nobody uses, tells the side that dialled that the first one is through: the
// other side has read or given up everything, and all it sent has been acknowledged.
func (c *quicConn) linger(ctx context.Context) {
	defer c.release()
	limit := quicLinger
	if !c.dialed {
		if c.transport.lingers.Add(1) > manyLingering {
			limit = shortLinger
		}
		defer c.transport.lingers.Add(-1)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if c.dialed {
		c.quic.OpenStreamSync(ctx)
	} else {
		select {
		case <-c.quic.Context().Done():
		case <-ctx.Done():
		}
	}
	c.quic.CloseWithError(quicDone, "")
}

// SetLinger is as that of net.TCPConn: with 0, Close cuts the connection.
func (c *quicConn) SetLinger(sec int) error {
	c.cut.Store(sec == 0)
	return nil
}

func (c *quicConn) LocalAddr() net.Addr  { return c.quic.LocalAddr() }
func (c *quicConn) RemoteAddr() net.Addr { return c.quic.RemoteAddr() }

func (c *quicConn) SetDeadline(t time.Time) error      { return c.set(c.stream.SetDeadline, t) }
func (c *quicConn) SetReadDeadline(t time.Time) error  { return c.set(c.stream.SetReadDeadline, t) }
func (c *quicConn) SetWriteDeadline(t time.Time) error { return c.set(c.stream.SetWriteDeadline, t) }

func (c *quicConn) set(deadline func(time.Time) error, t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.fail("set", net.ErrClosed)
	}
	return deadline(t)
}

// explain turns quic-go's errors into those of a socket. Most of quic-go's
// are net.ErrClosed as well, which here means our own Close.
func (c *quicConn) explain(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if closed {
		return c.fail("use", net.ErrClosed)
	}
	var stream *quic.StreamError
	if errors.As(err, &stream) && stream.Remote {
		return c.fail("write", syscall.EPIPE) // the other side reads no more
	}
	return explainQUIC(err)
}

func (c *quicConn) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: "quic", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// explainQUIC says in the words of sockets why a QUIC connection ended or did not come about.
func explainQUIC(err error) error {
	var (
		app     *quic.ApplicationError
		idle    *quic.IdleTimeoutError
		silent  *quic.HandshakeTimeoutError
		version *quic.VersionNegotiationError
		reset   *quic.StatelessResetError
		broken  *quic.TransportError
	)
	known := explain(err)
	var v *verdict
	switch {
	case errors.As(known, &v):
		return known
	case errors.As(err, &app) && app.ErrorCode == quicDone:
		return io.ErrUnexpectedEOF
	case errors.As(err, &app), errors.As(err, &reset):
		return fmt.Errorf("quic: %w", syscall.ECONNRESET)
	case errors.As(err, &version):
		return &verdict{ErrMismatch, "the other side speaks other versions of QUIC"}
	case errors.As(err, &idle), errors.As(err, &silent):
		return fmt.Errorf("quic: %w", syscall.ETIMEDOUT)
	case errors.As(err, &broken) && broken.ErrorCode == quic.ConnectionRefused:
		return fmt.Errorf("quic: %w", syscall.ECONNREFUSED)
	case errors.As(err, &broken):
		return fmt.Errorf("quic: %v", err) // not with %w: it would be net.ErrClosed
	}
	return err
}
