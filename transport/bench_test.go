package transport_test

import (
	"context"
	"io"
	"math/rand/v2"
	"testing"

	"braid/transport"
)

// BenchmarkStream carries noise over one connection, on loopback: both ends in this process.
func BenchmarkStream(b *testing.B) {
	registry := transport.Builtin()
	for _, name := range registry.Names() {
		b.Run(name, func(b *testing.B) {
			tr, err := registry.New(name, transport.Options{})
			if err != nil {
				b.Fatal(err)
			}
			ln, err := tr.Listen(context.Background(), "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer ln.Close()
			const piece = 256 << 10
			b.SetBytes(piece)
			go func() {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				defer c.Close()
				p := make([]byte, piece)
				rand.NewChaCha8([32]byte{}).Read(p)
				for {
					if _, err := c.Write(p); err != nil {
						return
					}
				}
			}()
			c, err := tr.Dial(context.Background(), ln.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			p := make([]byte, piece)
			for b.Loop() {
				if _, err := io.ReadFull(c, p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
