package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
)

// QUIC is QUIC version 1 (RFC 9000) over UDP, always encrypted; keys are as
// with TLS. Every connection is a QUIC connection of its own with one stream, so that each
// has its own congestion window, as a second TCP connection would.
// The transport has a Close, see [quicTransport.Close].
var QUIC = Driver{Name: "quic", New: func(o Options) (Transport, error) {
	id, err := newIdentity(o.Key)
	if err != nil {
		return nil, err
	}
	return newQUIC(id, o.Warn), nil
}}

// Receive windows, in bytes: what a connection may hold for its reader, first and at most. A client's let 1 Gbit/s
// flow over a round trip of 100 ms (12.5 MB); they are reached by quic-go's own tuning, so that a short link
// holds less memory. A server hears requests, and holds no more for a client that makes it look away.
const (
	clientWindow    = 1 << 20
	maxClientWindow = 16 << 20
	serverWindow    = 256 << 10
)

// quicConfig is for connections whose one stream has these windows. The connection's own is larger by half.
func quicConfig(window, maxWindow uint64) *quic.Config {
	return &quic.Config{
		InitialStreamReceiveWindow:     window,
		MaxStreamReceiveWindow:         maxWindow,
		InitialConnectionReceiveWindow: window / 2 * 3,
		MaxConnectionReceiveWindow:     maxWindow / 2 * 3,
		MaxIncomingStreams:             1, // linger counts on it
		MaxIncomingUniStreams:          -1,
		MaxIdleTimeout:                 45 * time.Second,
		KeepAlivePeriod:                15 * time.Second,
	}
}

// Codes with which a QUIC connection is closed.
const (
	quicDone quic.ApplicationErrorCode = 0 // both sides are through
	quicCut  quic.ApplicationErrorCode = 1 // as a crash would
)

// streamOpen is the first byte on a stream. The other side does not see
// a stream before its first byte, whoever is to speak first.
const streamOpen = 1

type quicTransport struct {
	identity   *identity
	warn       func(string)
	unverified sync.Once
	narrow     sync.Once

	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	mu        sync.Mutex
	closed    bool
	lingering sync.WaitGroup // joined under mu while closed is false
	lingers   atomic.Int64   // accepted connections among them
	listening map[string]*quicSocket
}

func newQUIC(id *identity, warn func(string)) *quicTransport {
	if warn == nil {
		warn = func(string) {}
	}
	t := &quicTransport{identity: id, warn: warn, listening: map[string]*quicSocket{}}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

func (t *quicTransport) Name() string { return "quic" }

// quicGoodbye is how long Close waits for what lingers.
const quicGoodbye = 500 * time.Millisecond

// Close is for the end of the program: it gives connections that have been closed and still
// linger a moment to end well, and waits for all of them.
func (t *quicTransport) Close() error {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	defer time.AfterFunc(quicGoodbye, t.cancel).Stop()
	t.lingering.Wait()
	t.cancel()
	return nil
}

// linger runs the end of a connection in a goroutine that Close waits for, or
// at once when Close has been called.
func (t *quicTransport) linger(end func(context.Context)) {
	t.mu.Lock()
	if !t.closed {
		t.lingering.Go(func() { end(t.ctx) })
		t.mu.Unlock()
		return
	}
	t.mu.Unlock()
	over, cancel := context.WithCancel(t.ctx)
	cancel()
	end(over)
}

// Dial implements Transport. Of a name with several addresses it takes the
// one that answers first, each a little later than the one before it (RFC 8305).
func (t *quicTransport) Dial(ctx context.Context, addr string) (net.Conn, error) {
	all, err := lookUp(ctx, addr)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "udp", Err: err}
	}
	conn, err := race(ctx, all, t.dialAddress)
	if err != nil {
		return nil, explainQUIC(err)
	}
	if t.identity.shared == nil {
		t.unverified.Do(func() { t.warn(unverified) })
	}
	return conn, nil
}

func (t *quicTransport) dialAddress(ctx context.Context, addr *net.UDPAddr) (net.Conn, error) {
	network := "udp6"
	if addr.IP.To4() != nil {
		network = "udp4"
	}
	udp, err := net.ListenUDP(network, nil)
	if err != nil {
		return nil, err
	}
	socket := t.newSocket(udp)
	conn, err := socket.quic.Dial(ctx, addr, t.identity.client(), quicConfig(clientWindow, maxClientWindow))
	if err != nil {
		socket.close()
		return nil, err
	}
	stream, err := conn.OpenStream()
	if err == nil {
		_, err = stream.Write([]byte{streamOpen})
	}
	if err != nil {
		conn.CloseWithError(quicCut, "")
		socket.close()
		return nil, err
	}
	return &quicConn{stream: stream, quic: conn, transport: t, dialed: true, release: socket.close, backlog: newBacklog(rawOf(udp), 1)}, nil
}

// stagger is the pause between two attempts of a race (RFC 8305 section 5).
const stagger = 250 * time.Millisecond

// race dials several addresses of a host and returns the first connection,
// or the error of the first address. It returns when all attempts have ended.
func race(ctx context.Context, all []*net.UDPAddr, dial func(context.Context, *net.UDPAddr) (net.Conn, error)) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	outcomes := make([]outcome, len(all))
	failed := make([]chan struct{}, len(all)) // closed when an attempt has failed
	var (
		tasks  sync.WaitGroup
		mu     sync.Mutex
		winner net.Conn
	)
	for i, addr := range all {
		failed[i] = make(chan struct{})
		tasks.Go(func() {
			defer close(failed[i])
			if i > 0 {
				select {
				case <-failed[i-1]:
				case <-time.After(stagger * time.Duration(i)):
				case <-ctx.Done():
					return
				}
			}
			conn, err := dial(ctx, addr)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				outcomes[i].err = err
			case winner == nil:
				winner = conn
				cancel()
			default:
				setLinger(conn, 0)
				conn.Close()
			}
		})
	}
	tasks.Wait()
	if winner != nil {
		return winner, nil
	}
	for _, o := range outcomes {
		if o.err != nil {
			return nil, o.err
		}
	}
	return nil, ctx.Err()
}

// lookUp resolves host:port.
func lookUp(ctx context.Context, addr string) ([]*net.UDPAddr, error) {
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "udp", service)
	if err != nil {
		return nil, err
	}
	if host == "" {
		host = "localhost"
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	var all []*net.UDPAddr
	for _, ip := range ips {
		all = append(all, net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip.Unmap(), uint16(port))))
	}
	return all, nil
}

// Listen implements Transport.
func (t *quicTransport) Listen(ctx context.Context, addr string) (net.Listener, error) {
	socket, err := t.listenOn(ctx, addr)
	if err != nil {
		return nil, err
	}
	l := &quicListener{acceptor: newAcceptor(socket.udp.LocalAddr()), transport: t, socket: socket}
	socket.quic.ConnContext = l.watch
	socket.quic.VerifySourceAddress = l.flooded
	if l.inner, err = socket.quic.Listen(t.identity.server(), quicConfig(serverWindow, serverWindow)); err != nil {
		t.stopListening(socket)
		return nil, err
	}
	// As many goroutines as connections may come at once: quic-go itself
	// queues 32, and refuses what comes beyond.
	for range maxUnready {
		l.tasks.Go(l.accept)
	}
	return l, nil
}

type quicListener struct {
	*acceptor
	transport  *quicTransport
	socket     *quicSocket
	inner      *quic.Listener
	once       sync.Once
	handshakes handshakes
}

// Close stops listening. Connections that Accept has returned live on, and so
// long the port is not free, but for another Listen of the same transport.
func (l *quicListener) Close() error {
	err := error(&net.OpError{Op: "close", Net: "udp", Addr: l.addr, Err: net.ErrClosed})
	l.once.Do(func() {
		err = l.inner.Close()
		l.close()
		l.transport.stopListening(l.socket)
	})
	return err
}

// flooded has quic-go answer a client with a Retry, for which it keeps nothing: who made up his address
// does not get it. It costs a client a round trip, and so none pays it in ordinary times.
func (l *quicListener) flooded(net.Addr) bool { return l.handshakes.count() >= manyUnproven }

// errFlood has quic-go refuse a connection. A client of ours tries again.
var errFlood = errors.New("quic: too many handshakes")

// handshake is the key of the func() that ends the count of a handshake, in the context of its connection.
type handshake struct{}

// watch counts handshakes, and lets no more begin than there may be. It also sees to it that a client without the key
// is told of, though quic-go never hands it out. quic-go calls it when a connection begins; the context ends with
// the connection.
func (l *quicListener) watch(ctx context.Context, client *quic.ClientInfo) (context.Context, error) {
	end := l.handshakes.begin(client.RemoteAddr)
	if end == nil {
		return nil, errFlood
	}
	context.AfterFunc(ctx, func() {
		end()
		if err := explain(context.Cause(ctx)); errors.Is(err, ErrKey) || errors.Is(err, ErrMismatch) {
			l.tell(client.RemoteAddr, err)
		}
	})
	return context.WithValue(ctx, handshake{}, end), nil
}

// proven ends the count of a connection's handshake.
func proven(ctx context.Context) { ctx.Value(handshake{}).(func())() }

func (l *quicListener) accept() {
	for {
		conn, err := l.inner.Accept(context.Background()) // until inner's Close
		if err != nil {
			// If the socket is gone, every Accept says so until Close.
			for l.offer(outcome{err: explainQUIC(err)}) {
			}
			return
		}
		proven(conn.Context())
		l.prepare(func(ctx context.Context) net.Conn { return l.getReady(ctx, conn) }, func() { conn.CloseWithError(quicCut, "") })
	}
}

// getReady makes a net.Conn of a QUIC connection; nil: it has no stream in time.
func (l *quicListener) getReady(ctx context.Context, conn *quic.Conn) net.Conn {
	stream, err := firstStream(ctx, conn)
	if err != nil {
		conn.CloseWithError(quicCut, "")
		return nil
	}
	l.transport.retain(l.socket)
	release := func() { l.transport.release(l.socket) }
	return &quicConn{stream: stream, quic: conn, transport: l.transport, release: release, backlog: newBacklog(nil, 0)}
}

// firstStream waits for the one stream of a connection.
func firstStream(ctx context.Context, conn *quic.Conn) (*quic.Stream, error) {
	stream, err := conn.AcceptStream(ctx)
	if err != nil {
		return nil, err
	}
	if err := readOpen(ctx, stream); err != nil {
		return nil, err
	}
	return stream, nil
}

// readOpen reads the first byte of a stream. A stream that has been accepted need not have one.
func readOpen(ctx context.Context, stream interface {
	io.Reader
	SetReadDeadline(time.Time) error
}) error {
	stop := context.AfterFunc(ctx, func() { stream.SetReadDeadline(time.Unix(1, 0)) })
	var first [1]byte
	_, err := io.ReadFull(stream, first[:])
	switch {
	case !stop():
		return ctx.Err()
	case err != nil:
		return err
	case first[0] != streamOpen:
		return errors.New("no stream of ours: first byte " + strconv.Itoa(int(first[0])))
	}
	return nil
}
