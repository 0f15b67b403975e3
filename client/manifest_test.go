package client_test

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"braid/wire"
)

// heard keeps what an actor hears.
type heard struct {
	net.Conn
	all *lockedBuffer
}

func (c heard) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.all.Write(p[:n])
	return n, err
}

// messages are those of a client, as far as they have come whole.
func messages(t *testing.T, all string) (types []wire.Type) {
	r := wire.NewReader(strings.NewReader(all), wire.Client)
	if err := r.Preface(); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := r.Next()
		if err != nil {
			return types
		}
		types = append(types, m.Type())
	}
}

// TestEarlyManifest: where servers are near, one of them is asked for the manifest with the greeting; where
// they are far, one that has shown itself to be fast, later.
func TestEarlyManifest(t *testing.T) {
	data := content(size, 1)
	for delay, want := range map[time.Duration]int{time.Millisecond: 1, 20 * time.Millisecond: 0} {
		t.Run(delay.String(), func(t *testing.T) {
			inWorld(t, func(w *world) {
				var all [3]lockedBuffer
				for k := range all {
					w.script(k+1, 1*MB, delay, func(c net.Conn) { actor{data: data, name: "f.bin"}.talk(heard{c, &all[k]}) })
				}
				w.download(3).complete("f.bin", data)
				early := 0
				for k := range all {
					if slices.Index(messages(t, all[k].String()), wire.TypeGetManifest) == 1 {
						early++
					}
				}
				if early != want {
					t.Errorf("%d are asked for the manifest with the greeting, want %d", early, want)
				}
			})
		})
	}
}

// TestEarlyManifestKeptBack: a near server that was asked for the manifest with its greeting and does not
// give it is not waited for.
func TestEarlyManifestKeptBack(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		w.script(1, 1*MB, time.Millisecond, actor{data: data, name: "f.bin", answer: func(m wire.Message) []byte {
			if m.Type() == wire.TypeGetManifest {
				return []byte{}
			}
			return nil
		}}.talk)
		w.serve(2, w.file("f.bin", data), 1*MB, 2*time.Millisecond)
		r := w.download(2).complete("f.bin", data).within(1.1, size, 1*MB, 1*MB)
		if r.from(1) < size/4 {
			t.Errorf("only %d bytes come from the server that keeps its manifest back", r.from(1))
		}
	})
}
