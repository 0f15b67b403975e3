// Package transport is what carries bytes: the Transport interface, a registry
// of drivers by name, and the drivers. Nothing above it knows which one it has.
package transport

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
)

// Transport dials and listens. Connections are reliable, ordered, two-way byte
// streams with working deadlines; whoever gets one closes it.
type Transport interface {
	// Name is the transport's name in the registry.
	Name() string
	// Dial connects to addr (host:port). Cancelling ctx ends the attempt; it
	// has no effect on a connection that has been returned.
	Dial(ctx context.Context, addr string) (net.Conn, error)
	// Listen listens on addr (host:port; an empty host is every address).
	// After the listener's Close, Accept returns an error that is net.ErrClosed.
	Listen(ctx context.Context, addr string) (net.Listener, error)
}

// Options are what drivers may need to know.
type Options struct {
	// Key is the secret that both sides share; empty: none.
	Key string
	// Warn tells the user something once, in one line; nil: nobody listens.
	Warn func(string)
}

// Driver makes a transport. It fails where the options do not suit it.
type Driver struct {
	Name string
	New  func(Options) (Transport, error)
}

// Registry is the drivers by name, in the order in which they were given.
type Registry struct{ drivers []Driver }

// NewRegistry returns a registry of the given drivers. A name that is given twice is
// a mistake of the program's and panics.
func NewRegistry(drivers ...Driver) *Registry {
	r := &Registry{}
	for _, d := range drivers {
		if slices.Contains(r.Names(), d.Name) {
			panic("transport: two drivers named " + d.Name)
		}
		r.drivers = append(r.drivers, d)
	}
	return r
}

// Builtin is the registry of all drivers that this package has. A new driver
// is a line here.
func Builtin() *Registry {
	return NewRegistry(TCP, QUIC, TLS, Zstd(TCP), Zstd(QUIC), Zstd(TLS))
}

// Names lists the known transports.
func (r *Registry) Names() []string {
	var names []string
	for _, d := range r.drivers {
		names = append(names, d.Name)
	}
	return names
}

// New makes the named transport. An unknown name is refused with the list of
// the known ones.
func (r *Registry) New(name string, opts Options) (Transport, error) {
	for _, d := range r.drivers {
		if d.Name == name {
			return d.New(opts)
		}
	}
	return nil, fmt.Errorf("unknown transport %q, want one of %s", name, strings.Join(r.Names(), ", "))
}
