package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// TCP is plain TCP sockets. Its connections are io.ReaderFrom as *net.TCPConn is, so that a file
// goes out by sendfile.
var TCP = Driver{Name: "tcp", New: func(o Options) (Transport, error) {
	if o.Key != "" {
		return nil, errors.New("a key protects nothing on plain tcp: use tls or quic")
	}
	return tcp{}, nil
}}

type tcp struct{}

// keepAlive finds a peer that has vanished while nothing was outstanding.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 4}

func (tcp) Name() string { return "tcp" }

func (tcp) Dial(ctx context.Context, addr string) (net.Conn, error) {
	d := net.Dialer{KeepAliveConfig: keepAlive}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if t, ok := c.(*net.TCPConn); ok {
		widen(t)
		return newGathering(t), nil
	}
	return c, nil
}

// After a read that brought little the next one waits, so that a slow link costs one wake-up for
// many packets. All connections wait for the same tick, and so share it. Meanwhile the system is to
// wake nobody, and to acknowledge as if somebody read: on a short path the sender waits for that. Only
// where the way back is too narrow for so many acknowledgements they are held back until the tick.
const (
	littleRead = 32 << 10 // bytes: what 80 Mbit/s bring in a tick
	readTick   = 3 * time.Millisecond
)

// wide is how much a connection that was dialled may hold for its reader, in bytes: what comes
// in a tick at several Gbit/s.
const wide = 2 << 20

// gathering is a connection that is read in fewer, larger pieces.
type gathering struct {
	*net.TCPConn
	backlog
	tick    time.Duration
	back    wayBack
	little  atomic.Bool   // the last read brought little
	hurries atomic.Bool   // see Hurry
	closed  chan struct{} // by Close
	closing sync.Once
}

func newGathering(c *net.TCPConn) *gathering {
	return &gathering{TCPConn: c, backlog: newBacklog(rawOf(c), muchRead), tick: readTick, closed: make(chan struct{})}
}

// OutOfOrder is about how many bytes have come that cannot be read yet, as some before them were lost on the
// way; 0 where the system does not tell. It may be called at any time.
func (g *gathering) OutOfOrder() int {
	if g.socket == nil {
		return 0
	}
	return outOfOrder(g.socket)
}

// Hurry has reads wait for nothing but the first byte, or again for more. Where acknowledgements wait on their way
// reads go on to wait, as there would be more of them. It may be called at any time.
func (g *gathering) Hurry(on bool) { g.hurries.Store(on) }

func (g *gathering) Read(p []byte) (int, error) {
	g.begin()
	defer g.end()
	if g.little.Load() && (!g.hurries.Load() || g.back.isNarrow(g.TCPConn)) {
		g.rest()
	}
	n, err := g.TCPConn.Read(p)
	g.found(n, len(p))
	g.little.Store(err == nil && n < len(p) && n < littleRead)
	return n, err
}

// rest waits for the next tick, or the end.
func (g *gathering) rest() {
	if !g.back.isNarrow(g.TCPConn) {
		wakeFrom(g.TCPConn, wide)
		defer wakeFrom(g.TCPConn, 1)
	}
	t := time.NewTimer(g.tick - time.Duration(time.Now().UnixNano())%g.tick)
	defer t.Stop()
	select {
	case <-t.C:
	case <-g.closed:
	}
}

// Close wakes a reader that rests when there is nothing more to read.
func (g *gathering) Close() error {
	defer g.closing.Do(func() { close(g.closed) })
	return g.TCPConn.Close()
}

// WriteTo is not that of net.TCPConn, which would go past Read.
func (g *gathering) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{g})
}

func (tcp) Listen(ctx context.Context, addr string) (net.Listener, error) {
	lc := net.ListenConfig{KeepAliveConfig: keepAlive}
	l, err := lc.Listen(ctx, family("tcp", addr), addr)
	if err != nil {
		return nil, err
	}
	t, ok := l.(*net.TCPListener)
	if !ok {
		return l, nil
	}
	return tcpListener{t, withoutPacing(t)}, nil
}

// family is the network to listen on: who says 0.0.0.0 means IPv4 alone, where Go would take all addresses.
func family(network, addr string) string {
	if to, err := netip.ParseAddrPort(addr); err == nil && to.Addr().Is4() {
		return network + "4"
	}
	return network
}

// tcpListener tunes what it accepts.
type tcpListener struct {
	*net.TCPListener
	congestion string // that connections to other machines are to have; empty: as they come
}

func (l tcpListener) Accept() (net.Conn, error) {
	c, err := l.TCPListener.Accept()
	if err != nil {
		return nil, err
	}
	return l.tune(c), nil
}
