package main

import (
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/time/rate"
)

// linkPiece is how much a link carries at once, in bytes: the steps in which it is slow.
const linkPiece = 8 << 10

// links stand between a client and servers, one for each server: what the server sends passes at
// a limited rate, for all connections together, and is counted.
type links struct {
	ports   string // where the client is to dial
	carried atomic.Int64
	ctx     context.Context // ends with close
	cancel  context.CancelFunc
	tasks   sync.WaitGroup
}

// newLinks puts a link before each of the servers; bytesPerSecond 0: no limit. The caller closes
// them.
func newLinks(servers string, bytesPerSecond int) (*links, error) {
	l := &links{}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	var ports []string
	for port := range strings.SplitSeq(servers, ",") {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			l.close()
			return nil, err
		}
		limit := rate.NewLimiter(rate.Inf, 0)
		if bytesPerSecond > 0 {
			limit = rate.NewLimiter(rate.Limit(bytesPerSecond), linkPiece)
		}
		ports = append(ports, strconv.Itoa(ln.Addr().(*net.TCPAddr).Port))
		context.AfterFunc(l.ctx, func() { ln.Close() })
		l.tasks.Go(func() { l.serve(ln, "127.0.0.1:"+port, limit) })
	}
	l.ports = strings.Join(ports, ",")
	return l, nil
}

func (l *links) close() {
	l.cancel()
	l.tasks.Wait()
}

func (l *links) serve(ln net.Listener, server string, limit *rate.Limiter) {
	for {
		near, err := ln.Accept()
		if err != nil {
			return
		}
		l.tasks.Go(func() { l.carry(near, server, limit) })
	}
}

// carry carries one connection until either side ends it.
func (l *links) carry(near net.Conn, server string, limit *rate.Limiter) {
	defer near.Close()
	far, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer far.Close()
	defer context.AfterFunc(l.ctx, func() { near.Close(); far.Close() })()
	// The link has hardly a queue: what waits does so at the server.
	far.(*net.TCPConn).SetReadBuffer(4 * linkPiece)
	near.(*net.TCPConn).SetWriteBuffer(4 * linkPiece)
	l.tasks.Go(func() {
		io.Copy(far, near)
		far.Close() // a client that leaves is heard of at once
	})
	p := make([]byte, linkPiece)
	if limit.Limit() == rate.Inf {
		p = make([]byte, 64*linkPiece)
	}
	for {
		n, err := far.Read(p)
		l.carried.Add(int64(n))
		if limit.Limit() != rate.Inf && limit.WaitN(l.ctx, n) != nil {
			return
		}
		if _, failed := near.Write(p[:n]); failed != nil || err != nil {
			return
		}
	}
}
