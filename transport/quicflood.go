package transport

import (
	"net"
	"net/netip"
	"sync"
)

// How many handshakes a listener has under way at most; each holds about 80 KB, for ten seconds if the client says
// no more. Connections that are through are not counted.
const (
	// manyUnproven is from when on a client has to show that its address is its own.
	manyUnproven = 64
	// maxFrom is for one address, so that nobody takes the places of all others. It is more than manyUnproven, so
	// that nobody takes those of an address that he only makes up.
	maxFrom = 128
	// maxHandshakes is for all.
	maxHandshakes = 1024
)

// handshakes counts those that are under way, by where they come from.
type handshakes struct {
	mu   sync.Mutex
	all  int
	from map[netip.Prefix]int // no zeros
}

// begin counts one more, until end is called, once or more; nil: it may not begin.
func (h *handshakes) begin(client net.Addr) (end func()) {
	from := origin(client)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all >= maxHandshakes || h.from[from] >= maxFrom {
		return nil
	}
	if h.from == nil {
		h.from = map[netip.Prefix]int{}
	}
	h.all++
	h.from[from]++
	return sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.all--
		if h.from[from]--; h.from[from] == 0 {
			delete(h.from, from)
		}
	})
}

func (h *handshakes) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all
}

// origin is the addresses that belong to whoever has this one: IPv6 is given out in networks, a /48 at most to a site.
func origin(client net.Addr) netip.Prefix {
	udp, ok := client.(*net.UDPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := udp.AddrPort().Addr().Unmap().WithZone("")
	bits := 48
	if ip.Is4() {
		bits = 32
	}
	from, _ := ip.Prefix(bits) // no zone, few enough bits
	return from
}
