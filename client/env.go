package client

import (
	"context"
	"io"
	"net"
)

// Transport carries bytes to a server. Whoever dials closes the connection.
type Transport interface {
	// Dial connects to addr, which is host:port; cancelling ctx ends the
	// attempt, and has no effect on a connection that has been returned.
	Dial(ctx context.Context, addr string) (net.Conn, error)
}

// Env is what a client uses of the world around it.
type Env struct {
	// Stdout takes the metric blocks, Stderr events and the progress bar.
	Stdout, Stderr io.Writer
	Transport      Transport
	// Terminal tells the width of the terminal that Stderr is, in columns;
	// ok is false where Stderr is no terminal.
	Terminal func() (width int, ok bool)
}
