package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// memNet is a network in memory whose links have rates and delays, for tests
// under testing/synctest: nothing in it waits for anything but time, channels
// and conditions. Every address is a host behind a link of its own, and the
// link is a fluid one: no slow start, no loss.
type memNet struct {
	mu    sync.Mutex // of everything in the network
	hosts map[string]*memHost
}

const (
	sendBuffer = 128 << 10 // bytes that a connection takes without having sent them
	recvWindow = 256 << 10 // bytes that may wait unread, besides what the link holds
	maxPacket  = 16 << 10
	minPacket  = 512
)

// memHost is a server's machine with its link. What goes to the client shares
// the rate; what comes from the client only has the delay.
type memHost struct {
	net  *memNet
	addr string

	rate  float64       // bytes/s
	delay time.Duration // one way
	down  bool          // nothing listens
	hang  bool          // no answer to attempts to connect
	black bool          // nothing gets through, and nobody is told
	flip  func() bool   // whether to flip a bit of the next packet
	dials int           // that have succeeded

	hurries []hurry // what the client asked of its connections

	listener *memListener
	conns    map[*memConn]bool // the server's ends
	queue    []*memConn        // that have something to send
	sending  bool
}

func newMemNet() *memNet { return &memNet{hosts: map[string]*memHost{}} }

// host adds a machine. rate 0 is no limit.
func (n *memNet) host(addr string, rate float64, delay time.Duration) *memHost {
	h := &memHost{net: n, addr: addr, rate: rate, delay: delay, conns: map[*memConn]bool{}}
	n.hosts[addr] = h
	return h
}

func (h *memHost) do(change func()) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	change()
}

// kill cuts all connections and refuses new ones, until revive.
func (h *memHost) kill() {
	h.do(func() { h.down = true })
	h.reset()
}

func (h *memHost) revive() { h.do(func() { h.down = false }) }

// reset cuts all connections.
func (h *memHost) reset() {
	h.do(func() {
		for c := range h.conns {
			c.fail(syscall.ECONNRESET)
			c.peer.fail(syscall.ECONNRESET)
		}
		clear(h.conns)
	})
}

// stall lets nothing through, until heal.
func (h *memHost) stall() { h.do(func() { h.black = true }) }

// heal ends a stall. The connections that were there stay stuck for so much
// longer, as TCP does in its back-off.
func (h *memHost) heal(stuck time.Duration) {
	h.do(func() {
		h.black = false
		for c := range h.conns {
			c.stuck, c.peer.stuck = true, true
			time.AfterFunc(stuck, func() {
				h.do(func() {
					c.thaw()
					c.peer.thaw()
				})
			})
		}
		h.serve()
	})
}

func (h *memHost) setRate(rate float64) { h.do(func() { h.rate = rate }) }

// transport is a machine's view of the network: a server's, or the client's.
type memTransport struct {
	net  *memNet
	host *memHost // nil: the client's
}

func (t memTransport) Listen(_ context.Context, addr string) (net.Listener, error) {
	l := &memListener{host: t.host, addr: addr, ready: sync.NewCond(&t.net.mu)}
	var err error
	t.host.do(func() {
		if t.host.listener != nil {
			err = opError("listen", addr, syscall.EADDRINUSE)
		} else {
			t.host.listener = l
		}
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Dial takes a round trip; while the host is silent it tries again every second.
func (t memTransport) Dial(ctx context.Context, addr string) (net.Conn, error) {
	h := t.net.hosts[addr]
	if h == nil {
		return nil, opError("dial", addr, &net.DNSError{Err: "no such host", Name: addr, IsNotFound: true})
	}
	for {
		var delay time.Duration
		var silent bool
		h.do(func() { delay, silent = 2*h.delay, h.hang || h.black })
		if silent {
			delay = time.Second
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return nil, opError("dial", addr, ctx.Err())
		}
		if silent {
			continue
		}
		var c *memConn
		h.do(func() { c = h.connect() })
		if c == nil {
			return nil, opError("dial", addr, syscall.ECONNREFUSED)
		}
		return c, nil
	}
}

func opError(op, addr string, err error) error {
	return &net.OpError{Op: op, Net: "mem", Addr: memAddr(addr), Err: err}
}

// connect makes a connection and returns the client's end; nil: refused.
func (h *memHost) connect() *memConn {
	if h.down || h.listener == nil {
		return nil
	}
	h.dials++
	here := memAddr(fmt.Sprintf("client:%d", h.dials))
	client := newMemConn(h, here, memAddr(h.addr))
	server := newMemConn(h, memAddr(h.addr), here)
	server.shaped = true
	client.peer, server.peer = server, client
	h.conns[server] = true
	h.listener.backlog = append(h.listener.backlog, server)
	h.listener.ready.Broadcast()
	return client
}

type memListener struct {
	host    *memHost
	addr    string
	ready   *sync.Cond
	backlog []*memConn
	closed  bool
}

func (l *memListener) Accept() (net.Conn, error) {
	l.host.net.mu.Lock()
	defer l.host.net.mu.Unlock()
	for !l.closed && len(l.backlog) == 0 {
		l.ready.Wait()
	}
	if l.closed {
		return nil, opError("accept", l.addr, net.ErrClosed)
	}
	c := l.backlog[0]
	l.backlog = l.backlog[1:]
	return c, nil
}

func (l *memListener) Close() error {
	l.host.do(func() {
		if l.closed {
			return
		}
		l.closed = true
		if l.host.listener == l {
			l.host.listener = nil
		}
		for _, c := range l.backlog {
			c.peer.fail(syscall.ECONNRESET)
		}
		l.ready.Broadcast()
	})
	return nil
}

func (l *memListener) Addr() net.Addr { return memAddr(l.addr) }

type memAddr string

func (memAddr) Network() string  { return "mem" }
func (a memAddr) String() string { return string(a) }

// packet is what travels: bytes, the end of the stream, or a reset.
type packet struct {
	data []byte
	end  bool
	cut  bool
}

// memConn is one end of a connection.
type memConn struct {
	host          *memHost
	peer          *memConn
	local, remote memAddr
	shaped        bool // its sending shares the host's rate
	buffer        int  // bytes that may be unsent
	changed       *sync.Cond

	inbox      []byte
	ended      bool  // the peer has said its last
	err        error // of a connection that was cut
	closed     bool
	abortive   bool // SetLinger(0)
	unsent     []byte
	finishing  bool // the end follows what is unsent
	finished   bool
	queued     bool
	flight     []packet
	flying     int // bytes in flight
	overdue    int // packets whose time has come, while nothing gets through
	stuck      bool
	rdl, wdl   time.Time
	rdlT, wdlT *time.Timer
}

func newMemConn(h *memHost, local, remote memAddr) *memConn {
	return &memConn{host: h, local: local, remote: remote, buffer: sendBuffer, changed: sync.NewCond(&h.net.mu)}
}

// hurry is a call of Hurry, when it was made.
type hurry struct {
	at time.Time
	on bool
}

// Hurry is noted only: what comes is read at once.
func (c *memConn) Hurry(on bool) {
	c.host.do(func() { c.host.hurries = append(c.host.hurries, hurry{time.Now(), on}) })
}

func expired(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

func (c *memConn) Read(p []byte) (int, error) {
	c.host.net.mu.Lock()
	defer c.host.net.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, opError("read", string(c.remote), net.ErrClosed)
		case expired(c.rdl):
			return 0, opError("read", string(c.remote), os.ErrDeadlineExceeded)
		case len(p) == 0:
			return 0, nil
		case len(c.inbox) > 0:
			n := copy(p, c.inbox)
			c.inbox = c.inbox[n:]
			c.peer.push()
			return n, nil
		case c.err != nil:
			return 0, opError("read", string(c.remote), c.err)
		case c.ended:
			return 0, io.EOF
		}
		c.changed.Wait()
	}
}

func (c *memConn) Write(p []byte) (n int, err error) {
	c.host.net.mu.Lock()
	defer c.host.net.mu.Unlock()
	for {
		switch {
		case c.closed || c.finishing:
			return n, opError("write", string(c.remote), net.ErrClosed)
		case expired(c.wdl):
			return n, opError("write", string(c.remote), os.ErrDeadlineExceeded)
		case c.err != nil:
			return n, opError("write", string(c.remote), c.err)
		case len(p) == 0:
			return n, nil
		}
		if room := c.buffer - len(c.unsent); room > 0 {
			k := min(room, len(p))
			c.unsent = append(c.unsent, p[:k]...)
			n, p = n+k, p[k:]
			c.push()
			continue
		}
		c.changed.Wait()
	}
}

// Close sends what is unsent and the end; or a reset, if something is unread or
// SetLinger(0) was called.
func (c *memConn) Close() error {
	c.host.do(func() {
		if c.closed {
			return
		}
		c.closed = true
		if c.abortive || len(c.inbox) > 0 {
			c.unsent = nil
			c.fly(packet{cut: true})
		} else {
			c.finishing = true
			c.push()
		}
		c.changed.Broadcast()
	})
	return nil
}

func (c *memConn) CloseWrite() error {
	c.host.do(func() {
		c.finishing = true
		c.push()
	})
	return nil
}

func (c *memConn) SetLinger(sec int) error {
	c.host.do(func() { c.abortive = sec == 0 })
	return nil
}

// SetUnsent is what TCP_NOTSENT_LOWAT is on Linux.
func (c *memConn) SetUnsent(bytes int) error {
	c.host.do(func() { c.buffer = bytes })
	return nil
}

// AwaitUnsent waits until less than half of that is unsent.
func (c *memConn) AwaitUnsent() error {
	c.host.net.mu.Lock()
	defer c.host.net.mu.Unlock()
	for len(c.unsent) >= c.buffer/2 && !c.closed && !c.finishing && c.err == nil {
		if expired(c.wdl) {
			return opError("write", string(c.remote), os.ErrDeadlineExceeded)
		}
		c.changed.Wait()
	}
	return nil
}

func (c *memConn) LocalAddr() net.Addr  { return c.local }
func (c *memConn) RemoteAddr() net.Addr { return c.remote }

func (c *memConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *memConn) SetReadDeadline(t time.Time) error {
	c.host.do(func() { c.deadline(&c.rdl, &c.rdlT, t) })
	return nil
}

func (c *memConn) SetWriteDeadline(t time.Time) error {
	c.host.do(func() { c.deadline(&c.wdl, &c.wdlT, t) })
	return nil
}

func (c *memConn) deadline(at *time.Time, timer **time.Timer, t time.Time) {
	*at = t
	if *timer != nil {
		(*timer).Stop()
	}
	if !t.IsZero() {
		*timer = time.AfterFunc(time.Until(t), func() { c.host.do(c.changed.Broadcast) })
	}
	c.changed.Broadcast()
}

// fail cuts this end.
func (c *memConn) fail(err error) {
	if c.err == nil {
		c.err = err
	}
	c.inbox, c.unsent, c.flight, c.flying, c.overdue = nil, nil, nil, 0, 0
	c.changed.Broadcast()
}

// window is how much may be under way or unread.
func (c *memConn) window() int {
	return recvWindow + int(2*c.host.delay.Seconds()*c.host.rate)
}

// push sends what can be sent now.
func (c *memConn) push() {
	h := c.host
	if c.shaped && h.rate > 0 {
		if !c.queued && c.ready() {
			c.queued = true
			h.queue = append(h.queue, c)
		}
		h.serve()
	} else {
		for c.ready() {
			c.depart(maxPacket)
		}
	}
	if c.finishing && !c.finished && len(c.unsent) == 0 {
		c.finished = true
		c.fly(packet{end: true})
	}
}

// ready reports whether bytes can go.
func (c *memConn) ready() bool {
	return c.err == nil && len(c.unsent) > 0 && c.flying+len(c.peer.inbox) < c.window()
}

// depart puts up to n unsent bytes into flight.
func (c *memConn) depart(n int) {
	n = min(n, len(c.unsent))
	data := append([]byte(nil), c.unsent[:n]...)
	c.unsent = c.unsent[n:]
	if c.shaped && c.host.flip != nil && c.host.flip() {
		data[len(data)/2] ^= 1
	}
	c.fly(packet{data: data})
	c.changed.Broadcast()
}

// serve lets the link send the next packet. Connections take turns.
func (h *memHost) serve() {
	if h.sending || h.black {
		return
	}
	for i, c := range h.queue {
		if c.stuck {
			continue
		}
		h.queue = append(h.queue[:i:i], h.queue[i+1:]...)
		c.queued = false
		if !c.ready() {
			h.serve()
			return
		}
		n := min(len(c.unsent), max(minPacket, min(maxPacket, int(h.rate/200))))
		h.sending = true
		time.AfterFunc(time.Duration(float64(n)/h.rate*1e9), func() {
			h.do(func() {
				h.sending = false
				if c.err == nil {
					c.depart(n)
					c.push()
				}
				h.serve()
			})
		})
		return
	}
}

// fly sends a packet on its way: it arrives after the delay, behind those before it.
func (c *memConn) fly(p packet) {
	if c.err != nil {
		return
	}
	c.flight = append(c.flight, p)
	c.flying += len(p.data)
	time.AfterFunc(c.host.delay, func() { c.host.do(c.arrive) })
}

// arrive delivers the packet that has been under way for longest.
func (c *memConn) arrive() {
	if len(c.flight) == 0 { // the connection was cut
		return
	}
	if c.host.black || c.stuck {
		c.overdue++
		return
	}
	p, to := c.flight[0], c.peer
	c.flight = c.flight[1:]
	c.flying -= len(p.data)
	switch {
	case p.cut:
		c.fail(syscall.ECONNRESET)
		to.fail(syscall.ECONNRESET)
		delete(c.host.conns, to)
	case to.closed && len(p.data) > 0:
		to.fly(packet{cut: true}) // nobody is there any more
	case p.end:
		to.ended = true
	default:
		to.inbox = append(to.inbox, p.data...)
	}
	to.changed.Broadcast()
}

// thaw ends a stall of this end.
func (c *memConn) thaw() {
	c.stuck = false
	for n := c.overdue; n > 0; n-- {
		c.overdue--
		c.arrive()
	}
	c.push()
	c.host.serve()
}
