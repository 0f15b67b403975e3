package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/quic-go/quic-go"
)

// TestHandshakesAreCounted: each once, until it is through or has failed.
func TestHandshakesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &quicListener{acceptor: newAcceptor(&net.UDPAddr{})}
		expect := func(want int) {
			t.Helper()
			synctest.Wait()
			if got := l.handshakes.count(); got != want || l.flooded(nil) != (want >= manyUnproven) {
				t.Errorf("%d are counted, want %d", got, want)
			}
		}
		var ctxs []context.Context
		var ends []func()
		for range manyUnproven {
			ctx, end := context.WithCancel(context.Background())
			watched, _ := l.watch(ctx, &quic.ClientInfo{})
			ctxs, ends = append(ctxs, watched), append(ends, end)
		}
		expect(manyUnproven)
		ends[0]()
		expect(manyUnproven - 1)
		proven(ctxs[1])
		ends[2]()
		proven(ctxs[2]) // it ends just as it is accepted
		expect(manyUnproven - 3)
		for _, end := range ends {
			end()
		}
		expect(0)
	})
}

// TestFloodedServerProvesAddresses: in a flood of handshakes an honest client gets through with a Retry, and
// without one it gets none.
func TestFloodedServerProvesAddresses(t *testing.T) {
	for _, flood := range []int{0, manyUnproven} {
		h := newHost(t, newQUIC(someone(t, 0), nil))
		for range flood {
			h.ln.(*quicListener).handshakes.begin(&net.UDPAddr{})
		}
		tap := newUDPTap(t, h.ln.Addr().(*net.UDPAddr))
		client := newQUIC(someone(t, 0), nil)
		if got, err := ask(client, tap.front.LocalAddr().String()); got != secret {
			t.Errorf("%d handshakes: got %q, %v", flood, got, err)
		}
		client.Close()
		tap.stop()
		h.stop()
		if retried := slices.ContainsFunc(tap.sent, hasToken); retried != (flood > 0) {
			t.Errorf("%d handshakes: retried %v", flood, retried)
		}
	}
}

// TestOneAddressTakesNotAllHandshakes: who has as many under way as he may gets no more, over the wire too, and
// others do.
func TestOneAddressTakesNotAllHandshakes(t *testing.T) {
	h := newHost(t, newQUIC(someone(t, 0), nil))
	defer h.stop()
	var ends []func()
	for range maxFrom {
		ends = append(ends, h.ln.(*quicListener).handshakes.begin(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	}
	client := newQUIC(someone(t, 0), nil)
	defer client.Close()
	if _, err := ask(client, h.ln.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("one more: %v, want ECONNREFUSED", err)
	}
	if end := h.ln.(*quicListener).handshakes.begin(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)}); end == nil {
		t.Error("none from another address")
	}
	for _, end := range ends[:8] { // the refused one's last packets may come only now, and take a place
		end()
	}
	if got, err := ask(client, h.ln.Addr().String()); got != secret {
		t.Errorf("after some have ended: got %q, %v", got, err)
	}
}

// TestHandshakesAreBounded by where they come from and in all, and forgotten when they have ended.
func TestHandshakesAreBounded(t *testing.T) {
	var h handshakes
	var ends []func()
	for _, test := range []struct {
		from string
		ip   func(i int) net.IP
		most int
	}{
		{"an IPv4 address", func(int) net.IP { return net.IPv4(192, 0, 2, 1) }, maxFrom},
		{"a site of IPv6", func(i int) net.IP { return net.ParseIP(fmt.Sprintf("2001:db8:0:%x::%x", i, i+1)) }, maxFrom},
		{"many addresses", func(i int) net.IP { return net.IPv4(10, 0, byte(i>>8), byte(i)) }, maxHandshakes - 2*maxFrom},
	} {
		for i := range test.most + 1 {
			end := h.begin(&net.UDPAddr{IP: test.ip(i), Port: 1 + i})
			if (end != nil) != (i < test.most) {
				t.Fatalf("%s: number %d begins: %v, want %d of them", test.from, i+1, end != nil, test.most)
			}
			ends = append(ends, end)
		}
	}
	ends = slices.DeleteFunc(ends, func(end func()) bool { return end == nil })
	for _, end := range ends {
		end()
		end()
	}
	if h.all != 0 || len(h.from) != 0 {
		t.Errorf("%d are counted, from %d places", h.all, len(h.from))
	}
}

// hasToken reports whether a datagram begins with an Initial packet that has a token (RFC 9000 section 17.2.2).
func hasToken(datagram []byte) bool {
	if datagram[0]&0xf0 != 0xc0 {
		return false
	}
	dst := 5
	src := dst + 1 + int(datagram[dst])
	return datagram[src+1+int(datagram[src])] != 0
}
