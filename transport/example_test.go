package transport_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"braid/transport"
	"braid/transport/transporttest"
)

// Unix is unix sockets: port 9001 of any host is the socket braid-9001 in the folder for temporary files.
var Unix = transport.Driver{Name: "unix", New: func(o transport.Options) (transport.Transport, error) {
	if o.Key != "" {
		return nil, errors.New("unix sockets take no key: the permissions of the folder say who may connect")
	}
	return unix{}, nil
}}

type unix struct{}

func (unix) Name() string { return "unix" }

func (unix) Dial(ctx context.Context, addr string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", path(addr))
}

func (unix) Listen(ctx context.Context, addr string) (net.Listener, error) {
	var l net.ListenConfig
	return l.Listen(ctx, "unix", path(addr))
}

// path is the socket at addr. The Addr of a listener is one already.
func path(addr string) string {
	if _, port, err := net.SplitHostPort(addr); err == nil && !filepath.IsAbs(addr) {
		return filepath.Join(os.TempDir(), "braid-"+port)
	}
	return addr
}

// TestUnix holds it to the suite, bare and compressed.
func TestUnix(t *testing.T) {
	for _, driver := range []transport.Driver{Unix, transport.Zstd(Unix)} {
		t.Run(driver.Name, func(t *testing.T) {
			transporttest.Run(t, func(t *testing.T) (transport.Transport, string) {
				tr, err := driver.New(transport.Options{})
				if err != nil {
					t.Fatal(err)
				}
				return tr, ":" + strconv.Itoa(os.Getpid())
			})
		})
	}
}
