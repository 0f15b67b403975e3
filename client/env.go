package client

import (
	"context"
	"io"
	"net"

	"braid/report"
	"braid/segment"
)

// Transport carries bytes to a server. Whoever dials closes the connection.
type Transport interface {
	// Dial connects to addr, which is host:port; cancelling ctx ends the
	// attempt, and has no effect on a connection that has been returned.
	Dial(ctx context.Context, addr string) (net.Conn, error)
}

// Env is what a client uses of the world around it.
type Env struct {
	// Stdout takes the metric blocks, Stderr events and the live area. Each has a
	// goroutine that writes to it, unless both are the same.
	Stdout, Stderr io.Writer
	Transport      Transport
	// Warnings brings what the transport wants the user to know; nil: nothing.
	Warnings <-chan string
	// Terminal is what Stderr is; the zero value: no terminal.
	Terminal report.Terminal
	// Crowded reports whether so many processes wait for this machine's cores that servers on it may be
	// silent for long; nil: never.
	Crowded func() bool

	disk func(*segment.Part) write // for tests of slow and full disks; nil: the part's own
}
