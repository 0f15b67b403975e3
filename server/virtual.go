package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"braid/segment"
	"braid/wire"
)

// virtual is one virtual server while it is alive: its own listener, file
// handles, connections and limit. It knows nothing of the others.
type virtual struct {
	source   *segment.Source
	listener net.Listener
	limiter  *rate.Limiter
	maxConns int
	event    func(format string, args ...any)

	cancel   context.CancelFunc
	ending   chan struct{}  // closed when clients are to be told of the end
	sessions sync.WaitGroup // and the accept loop
	conns    atomic.Int64   // held now
	sent     atomic.Int64   // file bytes, since it was started
	accepted atomic.Int64   // connections, since it was started
	refused  atomic.Int64   // of these
	changed  sync.Once
	noise    rate.Sometimes // tells of strangers, but not of each of a thousand
}

// farewells bounds how many refused connections are read out at once.
const farewells = 64

// goodbye bounds how long an orderly end waits for clients to take the news.
const goodbye = 100 * time.Millisecond

// start begins to accept. The caller ends it with cut and then waits for sessions.
func (v *virtual) start() {
	var ctx context.Context
	ctx, v.cancel = context.WithCancel(context.Background())
	v.ending = make(chan struct{})
	v.noise = rate.Sometimes{First: 10, Interval: time.Second}
	v.sessions.Go(func() { v.accept(ctx) })
}

// cut closes the port and cuts all connections. It does not wait: sessions that read
// from a disk that hangs end when it does not any more.
func (v *virtual) cut() {
	v.cancel()
	v.listener.Close()
}

// end closes the port and has clients told; cut must follow. The channel is closed when
// every goroutine of this virtual server has ended.
func (v *virtual) end() <-chan struct{} {
	v.listener.Close()
	close(v.ending)
	ended := make(chan struct{})
	go func() {
		v.sessions.Wait()
		close(ended)
	}()
	return ended
}

// accept takes connections until the listener is closed. An error that passes
// (no descriptor is free) is waited out: a port that is open but dead would be worse.
func (v *virtual) accept(ctx context.Context) {
	refusing := make(chan struct{}, farewells)
	for {
		conn, err := v.listener.Accept()
		if errors.Is(err, net.ErrClosed) || ctx.Err() != nil {
			if err == nil {
				abort(conn) // it came in the very moment of the cut
			}
			return
		}
		if err != nil {
			v.noise.Do(func() { v.event("cannot accept a connection: %v", err) })
			select {
			case <-time.After(50 * time.Millisecond):
				continue
			case <-ctx.Done():
				return
			}
		}
		v.accepted.Add(1)
		if v.conns.Load() >= int64(v.maxConns) {
			v.refused.Add(1)
			v.refuseBusy(ctx, conn, refusing)
			continue
		}
		v.conns.Add(1)
		v.sessions.Go(func() {
			defer v.conns.Add(-1)
			v.serve(ctx, conn)
		})
	}
}

// refuseBusy tells a client to come later. Under a flood the words are saved.
func (v *virtual) refuseBusy(ctx context.Context, conn net.Conn, refusing chan struct{}) {
	v.noise.Do(func() { v.event("busy: %d connections, refused %v", v.maxConns, conn.RemoteAddr()) })
	select {
	case refusing <- struct{}{}:
	default:
		abort(conn)
		return
	}
	v.sessions.Go(func() {
		defer func() { <-refusing }()
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { abort(conn) })()
		refuse(conn, wire.Busy, fmt.Sprintf("%d connections, as many as it may have", v.maxConns))
	})
}

// serve runs the session of a client, and counts and tells what became of it.
func (v *virtual) serve(ctx context.Context, conn net.Conn) {
	s := session{
		conn:    conn,
		source:  v.source,
		limiter: v.limiter,
		ending:  v.ending,
		sent:    func(n int) { v.sent.Add(int64(n)) },
		changed: func(err error) {
			v.changed.Do(func() { v.event("%v; it refuses clients until it is shut down and started again", err) })
		},
	}
	err := s.run(ctx)
	if errors.Is(err, errEnding) {
		return
	}
	if errors.Is(err, errRefused) || stranger(err) {
		v.refused.Add(1)
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, errChanged) {
		v.noise.Do(func() { v.event("client %v: %v", conn.RemoteAddr(), err) })
	}
}
