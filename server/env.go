package server

import (
	"context"
	"io"
	"net"
)

// Transport carries bytes from clients. Whoever listens closes the listener.
type Transport interface {
	// Listen listens on addr, which is host:port; an empty host is every
	// address of the machine.
	Listen(ctx context.Context, addr string) (net.Listener, error)
}

// Env is what a server uses of the world around it.
type Env struct {
	// Stdin brings console commands, a line each; its end is no command.
	Stdin io.Reader
	// Stdout takes the status blocks, Stderr events and warnings.
	Stdout, Stderr io.Writer
	Transport      Transport
}
