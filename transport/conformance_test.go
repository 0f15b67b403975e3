package transport_test

import (
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
