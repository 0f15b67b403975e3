package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
)

// TLS is TLS 1.3 on TCP. With a key both sides prove to each other that they
// have it; without one the server's certificate is made up and nobody checks it.
var TLS = Driver{Name: "tls", New: func(o Options) (Transport, error) {
	id, err := newIdentity(o.Key)
	if err != nil {
		return nil, err
	}
	return &tlsTransport{identity: id, warn: o.Warn}, nil
}}

type tlsTransport struct {
	tcp        tcp
	identity   *identity
	warn       func(string)
	unverified sync.Once
	spare      sync.Pool // see outbox
}

func (t *tlsTransport) Name() string { return "tls" }

func (t *tlsTransport) Dial(ctx context.Context, addr string) (net.Conn, error) {
	raw, err := t.tcp.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	c := newTLSConn(raw, &t.spare, t.identity.client(), tls.Client)
	if err := c.Conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, explain(err)
	}
	if t.identity.shared == nil && t.warn != nil {
		t.unverified.Do(func() { t.warn(unverified) })
	}
	return c, nil
}

func (t *tlsTransport) Listen(ctx context.Context, addr string) (net.Listener, error) {
	raw, err := t.tcp.Listen(ctx, addr)
	if err != nil {
		return nil, err
	}
	l := &tlsListener{acceptor: newAcceptor(raw.Addr()), raw: raw, config: t.identity.server(), spare: &t.spare}
	l.tasks.Go(l.accept)
	return l, nil
}

type tlsListener struct {
	*acceptor
	raw    net.Listener
	config *tls.Config
	spare  *sync.Pool
}

// Close stops listening. Connections that Accept has returned live on.
func (l *tlsListener) Close() error {
	err := l.raw.Close()
	l.close()
	return err
}

func (l *tlsListener) accept() {
	for {
		raw, err := l.raw.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			if !l.offer(outcome{err: err}) {
				return
			}
		default:
			l.prepare(func(ctx context.Context) net.Conn { return l.greet(ctx, raw) }, func() { raw.Close() })
		}
	}
}

// notTLS is what a peer is told that does not speak TLS. It may be a person.
const notTLS = "braid: this port speaks TLS; use a braid client with --transport tls\r\n"

// greet makes the handshake. A connection on which it failed is handed out as
// well: its Read says why, so that the one who accepts can tell. Of one that only took too long there is nothing to tell.
func (l *tlsListener) greet(ctx context.Context, raw net.Conn) net.Conn {
	c := newTLSConn(raw, l.spare, l.config, tls.Server)
	err := c.Conn.HandshakeContext(ctx)
	switch {
	case err == nil:
		return c
	case ctx.Err() != nil:
		raw.Close()
		return nil
	}
	defer context.AfterFunc(ctx, func() { raw.Close() })()
	var header tls.RecordHeaderError
	if errors.As(err, &header) && header.Conn != nil {
		lastWords(raw, []byte(notTLS))
	} else {
		lastWords(raw, nil) // the alert has been sent: let it arrive
	}
	return c
}
