package transport

import (
	"context"
	"errors"
	"net"
	"time"
)

// TCP is plain TCP sockets. Its connections are *net.TCPConn, so that a file
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
	return d.DialContext(ctx, "tcp", addr)
}

func (tcp) Listen(ctx context.Context, addr string) (net.Listener, error) {
	lc := net.ListenConfig{KeepAliveConfig: keepAlive}
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return tcpListener{l}, nil
}

// tcpListener tunes what it accepts.
type tcpListener struct{ net.Listener }

func (l tcpListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return tune(c), nil
}
