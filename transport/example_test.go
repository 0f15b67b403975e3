package transport_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"braid/transport"
	"braid/transport/transporttest"
)

// Unix is unix sockets. An address is the path of a socket.
var Unix = transport.Driver{Name: "unix", New: func(o transport.Options) (transport.Transport, error) {
	if o.Key != "" {
		return nil, errors.New("unix sockets take no key: the permissions of the folder say who may connect")
	}
	return unix{}, nil
}}

type unix struct{}

func (unix) Name() string { return "unix" }

func (unix) Dial(ctx context.Context, path string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", path)
}

func (unix) Listen(ctx context.Context, path string) (net.Listener, error) {
	var l net.ListenConfig
	return l.Listen(ctx, "unix", path)
}

// TestUnix holds it to the suite, bare and compressed.
func TestUnix(t *testing.T) {
	for _, driver := range []transport.Driver{Unix, transport.Zstd(Unix)} {
		t.Run(driver.Name, func(t *testing.T) {
			transporttest.Run(t, func(t *testing.T) (transport.Transport, string) {
				folder, err := os.MkdirTemp("", "") // t.TempDir is too long for a socket
				t.Cleanup(func() { os.RemoveAll(folder) })
				tr, failed := driver.New(transport.Options{})
				if err := errors.Join(err, failed); err != nil {
					t.Fatal(err)
				}
				return tr, filepath.Join(folder, "s")
			})
		})
	}
}
