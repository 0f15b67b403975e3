package server

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"braid/segment"
	"braid/wire"
)

// The file that all want.
const (
	fairSegments = 256
	fairSize     = fairSegments * 16 << 10
)

// TestHonestClientsKeepTheirShare has clients do what costs a server the most, each in
// its own way. An honest client still gets at least half of what would be its share.
func TestHonestClientsKeepTheirShare(t *testing.T) {
	const (
		limit  = 1_000_000
		others = 3
		span   = 10 * time.Second
	)
	for name, deed := range hostileDeeds {
		t.Run(name, func(t *testing.T) {
			inBubble(t, fairSize, func(c *Config) { c.Limits[0] = limit }, func(t *testing.T, m *memory, _ *running, _ []byte) {
				var tasks sync.WaitGroup
				defer tasks.Wait()
				var over atomic.Bool
				defer over.Store(true)
				dial := func() (net.Conn, error) {
					if over.Load() {
						return nil, net.ErrClosed
					}
					return m.dial(9001)
				}
				for range others {
					c := m.client(t, 9001)
					defer c.Close()
					c.greet(wire.Hello{})
					tasks.Go(func() { deed(c, dial) })
				}
				honest := m.client(t, 9001)
				defer honest.Close()
				honest.greet(wire.Hello{})
				var got atomic.Int64
				tasks.Go(func() { downloadForever(honest, &got) })
				time.Sleep(span)
				if least := int64(limit * span.Seconds() / (others + 1) / 2); got.Load() < least {
					t.Errorf("%d bytes in %v, half a share is %d", got.Load(), span, least)
				}
			})
		})
	}
}

// hostileDeeds are done on c, which has been greeted, until it is closed, or dial fails.
var hostileDeeds = map[string]func(c *client, dial func() (net.Conn, error)){
	"never reads": func(c *client, _ func() (net.Conn, error)) { c.Write(appendRequest(nil, 1, 0, fairSegments)) },
	"asks for one and the same segment again and again": func(c *client, _ func() (net.Conn, error)) {
		writeForever(c, 20*time.Millisecond, func(b []byte, id uint32) []byte { return appendRequest(b, id, 7, 1) })
	},
	"asks and cancels": func(c *client, _ func() (net.Conn, error)) {
		writeForever(c, time.Millisecond, func(b []byte, id uint32) []byte {
			return wire.Append(appendRequest(b, id, int(id)%fairSegments, 1), wire.Cancel{ID: id})
		})
	},
	"pings": func(c *client, _ func() (net.Conn, error)) {
		writeForever(c, time.Millisecond, func(b []byte, id uint32) []byte { return wire.Append(b, wire.Ping{}) })
	},
	"greets and waits": func(*client, func() (net.Conn, error)) {},
	"comes, asks and leaves": func(_ *client, dial func() (net.Conn, error)) {
		hello := wire.Append(preface(), wire.Hello{Parts: 1, Max: fairSize})
		for {
			c, err := dial()
			if err != nil {
				return
			}
			go io.Copy(io.Discard, c)
			c.Write(hello)
			time.Sleep(5 * time.Millisecond)
			c.Close()
		}
	},
}

func appendRequest(b []byte, id uint32, first, count int) []byte {
	return wire.Append(b, wire.Request{ID: id, Run: segment.Run{First: first, Count: count}})
}

// writeForever writes messages, one number after the other. Without a pause the virtual
// time would stand still.
func writeForever(c *client, pause time.Duration, messages func(b []byte, id uint32) []byte) {
	go io.Copy(io.Discard, c)
	var b []byte
	for id := uint32(1); ; id++ {
		b = messages(b[:0], id)
		if _, err := c.Write(b); err != nil {
			return
		}
		time.Sleep(pause)
	}
}

// downloadForever asks for the whole file, again when it has come, and counts its bytes.
func downloadForever(c *client, got *atomic.Int64) {
	for id := uint32(1); ; id++ {
		if _, err := c.Write(appendRequest(nil, id, 0, fairSegments)); err != nil {
			return
		}
		for left := fairSize; left > 0; {
			m, err := c.r.Next()
			if err != nil {
				return
			}
			n := m.(wire.Data).Len
			if _, err := io.CopyN(io.Discard, c.r, int64(n)); err != nil {
				return
			}
			left -= n
			got.Add(int64(n))
		}
	}
}
