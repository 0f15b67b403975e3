package transport

import (
	"container/list"
	"context"
	"net"
	"sync"
	"time"
)

// Connections that have been accepted below but are not ready yet: how many a
// listener holds at once, and for how long each of them.
const (
	maxUnready   = 128
	unreadyLimit = 10 * time.Second
)

// maxFailed is how many failures wait for an Accept at most. Under a flood the rest is not told.
const maxFailed = 16

// acceptor is the half of a listener that hands out connections, each of which
// gets ready (a handshake) in a goroutine of its own, so that a slow one holds up nobody.
type acceptor struct {
	addr   net.Addr
	ctx    context.Context // ends with close
	cancel context.CancelFunc
	slots  chan struct{}
	ready  chan outcome
	failed chan net.Conn // what never became ready, for the Read that says why
	tasks  sync.WaitGroup

	mu      sync.Mutex
	unready list.List // of context.CancelFunc: who is getting ready, the oldest first
}

// outcome is what Accept returns.
type outcome struct {
	conn net.Conn
	err  error
}

func newAcceptor(addr net.Addr) *acceptor {
	a := &acceptor{addr: addr, slots: make(chan struct{}, maxUnready), ready: make(chan outcome), failed: make(chan net.Conn, maxFailed)}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	return a
}

// Accept waits for a connection that is ready. After close it returns none, also where failed ones wait.
func (a *acceptor) Accept() (net.Conn, error) {
	if a.ctx.Err() == nil {
		select {
		case <-a.ctx.Done():
		case o := <-a.ready:
			return o.conn, o.err
		case c := <-a.failed:
			return c, nil
		}
	}
	return nil, &net.OpError{Op: "accept", Net: a.addr.Network(), Addr: a.addr, Err: net.ErrClosed}
}

// Addr is the address that is listened on.
func (a *acceptor) Addr() net.Addr { return a.addr }

// offer hands a connection or an error to Accept. It reports false when the
// listener has been closed.
func (a *acceptor) offer(o outcome) bool {
	select {
	case a.ready <- o:
		return true
	case <-a.ctx.Done():
		return false
	}
}

// tell has Accept return a connection that fails with err. It never waits.
func (a *acceptor) tell(remote net.Addr, err error) {
	select {
	case a.failed <- &failedConn{local: a.addr, remote: remote, err: err}:
	default:
	}
}

// prepare runs getReady beside the others, within the time limit, and hands
// its connection to Accept; nil: it did not get ready.
func (a *acceptor) prepare(getReady func(context.Context) net.Conn, refuse func()) {
	if !a.takeSlot() {
		refuse()
		return
	}
	ctx, done := a.begin()
	a.tasks.Go(func() {
		defer func() { <-a.slots }()
		conn := getReady(ctx)
		done()
		if conn != nil && !a.offer(outcome{conn: conn}) {
			setLinger(conn, 0)
			conn.Close()
		}
	})
}

// takeSlot waits for a slot. When all are taken, who has been getting ready for the longest gives
// his up: else those that say nothing would shut out all others for the whole time limit.
func (a *acceptor) takeSlot() bool {
	select {
	case a.slots <- struct{}{}:
		return true
	default:
		a.cutOldest()
	}
	select {
	case a.slots <- struct{}{}:
		return true
	case <-a.ctx.Done():
		return false
	}
}

// begin puts a connection on the list of those that are getting ready; done takes it off.
func (a *acceptor) begin() (ctx context.Context, done func()) {
	ctx, cancel := context.WithTimeout(a.ctx, unreadyLimit)
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.unready.PushBack(cancel)
	return ctx, func() {
		cancel()
		a.mu.Lock()
		defer a.mu.Unlock()
		a.unready.Remove(e)
	}
}

func (a *acceptor) cutOldest() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.unready.Front(); e != nil {
		a.unready.Remove(e).(context.CancelFunc)()
	}
}

// close ends Accept, and waits for all goroutines. What feeds the acceptor
// must end by itself when ctx is done.
func (a *acceptor) close() {
	a.cancel()
	a.tasks.Wait()
}

// failedConn is a connection that ended before it was one.
type failedConn struct {
	local, remote net.Addr
	err           error
}

func (c *failedConn) Read([]byte) (int, error)         { return 0, c.err }
func (c *failedConn) Write([]byte) (int, error)        { return 0, c.err }
func (c *failedConn) Close() error                     { return nil }
func (c *failedConn) LocalAddr() net.Addr              { return c.local }
func (c *failedConn) RemoteAddr() net.Addr             { return c.remote }
func (c *failedConn) SetDeadline(time.Time) error      { return nil }
func (c *failedConn) SetReadDeadline(time.Time) error  { return nil }
func (c *failedConn) SetWriteDeadline(time.Time) error { return nil }
