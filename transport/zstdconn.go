package transport

import (
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// zstdWrite is how much is encoded before it is written, in bytes.
const zstdWrite = 1 << 20

// zstdRead is how much is read at once where frames are small, in bytes.
const zstdRead = 4 << 10

// zstdConn is a connection that carries frames of another stream. A deadline
// that passes in the middle of a frame does no harm: what has come, or has not
// gone yet, is kept.
type zstdConn struct {
	net.Conn
	codec    *codec
	accepted bool // not dialled

	writing       sync.Mutex
	writeDeadline deadline
	greeted       bool // the magic has been put into out
	out           outbox
	cut           atomic.Bool

	reading      sync.Mutex
	readDeadline deadline
	met          bool   // the magic has come
	in           []byte // what has come and is not used, from at
	at           int
	plain        []byte // of a frame, what has not been read yet
	space        []byte // plain of packed frames lies in it
	broken       error  // Read has failed for good
}

// zstdHalfConn is for connections whose inner one can close one half.
type zstdHalfConn struct{ *zstdConn }

func newZstdConn(inner net.Conn, z *codec, accepted bool) net.Conn {
	c := &zstdConn{Conn: inner, codec: z, accepted: accepted, out: outbox{w: inner, spare: &z.out}}
	if _, ok := inner.(interface{ CloseWrite() error }); ok {
		return zstdHalfConn{c}
	}
	return c
}

// Write implements net.Conn. With an error that is a timeout, what it counts
// as written is on its way as far as it can be: the next Write, CloseWrite or Close sends the rest.
func (c *zstdConn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.writeDeadline.passed(); err != nil {
		return 0, err
	}
	if err := c.out.flush(); err != nil {
		return 0, err
	}
	n := 0
	for n < len(p) {
		piece := p[n:min(len(p), n+zstdWrite)]
		c.greet()
		c.out.rest = c.codec.appendFrames(c.out.space(), piece)
		n += len(piece)
		if err := c.out.flush(); err != nil {
			return n, err
		}
	}
	return n, nil
}

// greet puts the magic before the first frame.
func (c *zstdConn) greet() {
	if !c.greeted {
		c.greeted = true
		c.out.rest = append(c.out.space(), zstdMagic...)
	}
}

func (c *zstdConn) Read(p []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	if err := c.readDeadline.passed(); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	for len(c.plain) == 0 {
		if c.broken != nil {
			return 0, c.broken
		}
		if err := c.next(); err != nil {
			if !isTimeout(err) {
				c.broken = err
			}
			return 0, err
		}
	}
	n := copy(p, c.plain)
	c.plain = c.plain[n:]
	return n, nil
}

// next reads a frame into plain.
func (c *zstdConn) next() error {
	if !c.met {
		if err := c.meet(); err != nil {
			return err
		}
	}
	if err := c.fill(frameHeader); err != nil {
		return err
	}
	kind, n, err := parseHeader(c.in[c.at:])
	if err != nil {
		return err
	}
	if err := c.fill(frameHeader + n); err != nil {
		return err
	}
	body := c.in[c.at+frameHeader : c.at+frameHeader+n]
	c.at += frameHeader + n
	if kind == kindRaw {
		c.plain = body // it stays where it is until all of it has been read
		return nil
	}
	if c.space == nil {
		c.space = make([]byte, 0, maxBlock)
	}
	c.plain, err = c.codec.unpack(c.space, body)
	return err
}

// meet checks the magic, and tells at its first wrong byte.
func (c *zstdConn) meet() error {
	for i := range len(zstdMagic) {
		if err := c.fill(i + 1); err != nil {
			return err
		}
		if c.in[c.at+i] != zstdMagic[i] {
			c.turnAway()
			return &verdict{ErrMismatch, "the other side does not compress with zstd as this one does"}
		}
	}
	c.at += len(zstdMagic)
	c.met = true
	return nil
}

// notZstd is what a peer is told that does not begin with the magic. It may be
// a person.
const notZstd = "braid: this port speaks braid compressed with zstd; use a braid client with the same --transport\r\n"

// turnAway tells a stranger that has dialled what is here.
func (c *zstdConn) turnAway() {
	if !c.accepted || !c.writing.TryLock() {
		return
	}
	defer c.writing.Unlock()
	if !c.greeted {
		c.greeted = true
		lastWords(c.Conn, []byte(notZstd))
	}
}

// fill reads until n bytes are there from at on. What has come stays, also after an error.
// io.EOF is the end between two frames. The buffer at most doubles at a time: a length that is only told takes no memory.
func (c *zstdConn) fill(n int) error {
	if len(c.in)-c.at < n {
		c.in = c.in[:copy(c.in, c.in[c.at:])]
		c.at = 0
	}
	for len(c.in)-c.at < n {
		c.in = slices.Grow(c.in, max(min(n-len(c.in), len(c.in)), zstdRead))
		m, err := c.Conn.Read(c.in[len(c.in):cap(c.in)])
		c.in = c.in[:len(c.in)+m]
		switch {
		case len(c.in) >= n:
			return nil
		case err == io.EOF && len(c.in) > 0:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
	}
	return nil
}

// CloseWrite ends the sending half; the other side reads io.EOF.
func (c zstdHalfConn) CloseWrite() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.out.flush(); err != nil {
		return err
	}
	return c.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

// Close implements net.Conn. It waits only a moment for a peer that takes nothing.
func (c *zstdConn) Close() error {
	if !c.cut.Load() && c.writing.TryLock() {
		if len(c.out.rest) > 0 {
			c.Conn.SetWriteDeadline(time.Now().Add(goodbye))
			c.out.flush()
		}
		c.writing.Unlock()
	}
	return c.Conn.Close()
}

// SetLinger is that of net.TCPConn. With 0, Close cuts the connection.
func (c *zstdConn) SetLinger(sec int) error {
	c.cut.Store(sec == 0)
	return setLinger(c.Conn, sec)
}

// Hardy is that of the connection below.
func (c *zstdConn) Hardy() bool { return isHardy(c.Conn) }

// Behind is that of the connection below.
func (c *zstdConn) Behind() bool { return isBehind(c.Conn) }

// OutOfOrder is that of the connection below; it counts compressed bytes.
func (c *zstdConn) OutOfOrder() int { return outOfOrderOn(c.Conn) }

// Hurry is that of the connection below.
func (c *zstdConn) Hurry(on bool) { setHurry(c.Conn, on) }

// SetUnsent is that of the connection below; it counts compressed bytes.
func (c *zstdConn) SetUnsent(bytes int) error { return setUnsent(c.Conn, bytes) }

// AwaitUnsent is that of the connection below.
func (c *zstdConn) AwaitUnsent() error { return awaitUnsent(c.Conn) }

func (c *zstdConn) SetDeadline(t time.Time) error {
	c.readDeadline.set(t)
	c.writeDeadline.set(t)
	return c.Conn.SetDeadline(t)
}

func (c *zstdConn) SetReadDeadline(t time.Time) error {
	c.readDeadline.set(t)
	return c.Conn.SetReadDeadline(t)
}

func (c *zstdConn) SetWriteDeadline(t time.Time) error {
	c.writeDeadline.set(t)
	return c.Conn.SetWriteDeadline(t)
}
