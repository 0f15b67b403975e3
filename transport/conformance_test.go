package transport_test

import (
	"testing"

	"braid/transport"
	"braid/transport/transporttest"
)

// TestConformance holds every built-in transport to the suite; where it can
// have a key, with one and without.
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
