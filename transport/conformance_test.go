package transport_test

import (
	"strings"
	"testing"

	"braid/transport"
	"braid/transport/transporttest"
)

// TestConformance holds every built-in transport to the suite, without a key: deriving one takes
// longer than a test. What keys change, the handshake, is in keys_test.go.
func TestConformance(t *testing.T) {
	registry := transport.Builtin()
	for _, name := range registry.Names() {
		t.Run(name, func(t *testing.T) {
			transporttest.Run(t, func(t *testing.T) (transport.Transport, string) {
				tr, err := registry.New(name, transport.Options{})
				if err != nil {
					t.Fatal(err)
				}
				return tr, "127.0.0.1:0"
			})
		})
	}
}

// TestAllAddressesOfIPv4 are what 0.0.0.0 means, and not those of IPv6 as well.
func TestAllAddressesOfIPv4(t *testing.T) {
	registry := transport.Builtin()
	for _, name := range registry.Names() {
		tr, err := registry.New(name, transport.Options{})
		if err != nil {
			t.Fatal(err)
		}
		l, err := tr.Listen(t.Context(), "0.0.0.0:0")
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Addr().String(); !strings.HasPrefix(got, "0.0.0.0:") {
			t.Errorf("%s listens on %s", name, got)
		}
		l.Close()
	}
}
