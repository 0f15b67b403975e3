package transport

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"
)

// TestNothingIsAcceptedAfterClose: not even what failed before it.
func TestNothingIsAcceptedAfterClose(t *testing.T) {
	a := newAcceptor(&net.UDPAddr{})
	for range maxFailed {
		a.tell(&net.UDPAddr{}, ErrKey)
	}
	a.close()
	for range maxFailed {
		if c, err := a.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Fatalf("%v, %v, want net.ErrClosed", c, err)
		}
	}
}

// TestSilentConnectionsShutOutNobody: more of them than a listener has slots, and a client after them.
func TestSilentConnectionsShutOutNobody(t *testing.T) {
	const silent = maxUnready + 40 // quic-go has a queue of its own, of 32
	for name, open := range map[string]func(t *testing.T, addr string){
		"tls": func(t *testing.T, addr string) {
			for range silent {
				c, err := net.Dial("tcp", addr)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { c.Close() })
			}
		},
		"quic": func(t *testing.T, addr string) {
			remote, err := net.ResolveUDPAddr("udp", addr)
			if err != nil {
				t.Fatal(err)
			}
			udp, err := net.ListenUDP("udp4", nil)
			if err != nil {
				t.Fatal(err)
			}
			socket := newQUIC(someone(t, 0), nil).newSocket(udp)
			t.Cleanup(socket.close)
			for range silent {
				if _, err := socket.quic.Dial(t.Context(), remote, someone(t, 0).client(), quicConfig(serverWindow, serverWindow)); err != nil {
					t.Fatal(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, encrypted[name](someone(t, 0)))
			defer h.stop() // before the silent ones leave: it holds only so many failures
			open(t, h.ln.Addr().String())
			client := encrypted[name](someone(t, 0))
			defer closeTransport(client)
			ctx, cancel := context.WithTimeout(t.Context(), unreadyLimit/2)
			defer cancel()
			c, err := client.Dial(ctx, h.ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(unreadyLimit / 2))
			if _, err := c.Write([]byte(hello)); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(make([]byte, 1)); err != nil {
				t.Errorf("no answer: %v", err)
			}
		})
	}
}
