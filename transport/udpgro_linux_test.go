package transport

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

// TestTrainsComeApart: datagrams that the kernel has joined come out one by one, with their
// sender and control messages, and in the right order among others.
func TestTrainsComeApart(t *testing.T) {
	if err := askForTrains(t); err != nil {
		t.Skipf("this kernel does not join datagrams (UDP_GRO, since Linux 5.0): %v", err)
	}
	from, to := udpPair(t)
	socket, ok := socketFor(to).(*joined)
	if !ok {
		t.Fatal("the kernel joins datagrams, and nobody has asked it to")
	}
	var want [][]byte
	for i, sizes := range [][]int{{10}, {0}, {1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1}, {1452, 1452}, {7}} {
		var train [][]byte
		for k, n := range sizes {
			train = append(train, bytes.Repeat([]byte{byte(16*i + k)}, n))
		}
		send(t, from, to.LocalAddr().(*net.UDPAddr), train)
		want = append(want, train...)
	}
	socket.SetReadDeadline(time.Now().Add(patience))
	messages := make([]ipv4.Message, 8)
	got, calls := 0, 0
	for ; got < len(want); calls++ {
		for i := range messages {
			messages[i] = ipv4.Message{Buffers: [][]byte{make([]byte, 1452)}, OOB: make([]byte, 128)}
		}
		n, err := socket.ReadBatch(messages, 0)
		if err != nil || n == 0 {
			t.Fatalf("after %d datagrams: %d, %v", got, n, err)
		}
		for _, m := range messages[:n] {
			if !bytes.Equal(m.Buffers[0][:m.N], want[got]) {
				t.Errorf("datagram %d has %d bytes, want %d, or others than were sent", got, m.N, len(want[got]))
			}
			if m.Addr.String() != from.LocalAddr().String() {
				t.Errorf("datagram %d is from %v, want %v", got, m.Addr, from.LocalAddr())
			}
			got++
		}
	}
	if calls >= len(want) {
		t.Errorf("%d calls for %d datagrams: no train has come, nothing was tested", calls, len(want))
	}
}

// askForTrains asks the kernel whether it joins datagrams, by a socket of its own.
func askForTrains(t *testing.T) error {
	t.Helper()
	_, socket := udpPair(t)
	raw, err := socket.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var refused error
	if err := raw.Control(func(fd uintptr) { refused = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_GRO, 1) }); err != nil {
		t.Fatal(err)
	}
	return refused
}

// udpPair is two sockets on loopback.
func udpPair(t *testing.T) (from, to *net.UDPConn) {
	t.Helper()
	var pair [2]*net.UDPConn
	for i := range pair {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		pair[i] = c
	}
	return pair[0], pair[1]
}

// send sends datagrams as one train (UDP_SEGMENT): all but the last one are of one size.
func send(t *testing.T, c *net.UDPConn, to *net.UDPAddr, datagrams [][]byte) {
	t.Helper()
	var control []byte
	if len(datagrams) > 1 {
		control = controlMessage(unix.SOL_UDP, unix.UDP_SEGMENT, binary.NativeEndian.AppendUint16(nil, uint16(len(datagrams[0]))))
	}
	if _, _, err := c.WriteMsgUDP(bytes.Join(datagrams, nil), control, to); err != nil {
		t.Fatal(err)
	}
}

// controlMessage is as in cmsg(3), on a machine of 64 bits or 32.
func controlMessage(level, kind int32, body []byte) []byte {
	b := make([]byte, unix.CmsgSpace(len(body)))
	word := unix.CmsgLen(0) - 8
	if word == 8 {
		binary.NativeEndian.PutUint64(b, uint64(unix.CmsgLen(len(body))))
	} else {
		binary.NativeEndian.PutUint32(b, uint32(unix.CmsgLen(len(body))))
	}
	binary.NativeEndian.PutUint32(b[word:], uint32(level))
	binary.NativeEndian.PutUint32(b[word+4:], uint32(kind))
	copy(b[unix.CmsgLen(0):], body)
	return b
}

// TestDatagramSize: what the kernel does not say, or says in an odd way, means one datagram.
func TestDatagramSize(t *testing.T) {
	gro := func(size uint32) []byte {
		return controlMessage(unix.SOL_UDP, unix.UDP_GRO, binary.NativeEndian.AppendUint32(nil, size))
	}
	tos := controlMessage(unix.IPPROTO_IP, unix.IP_TOS, []byte{2})
	for name, test := range map[string]struct {
		control []byte
		want    int
	}{
		"none":      {nil, 5000},
		"another":   {tos, 5000},
		"first":     {append(gro(1200), tos...), 1200},
		"second":    {append(tos, gro(1300)...), 1300},
		"zero":      {gro(0), 5000},
		"too short": {controlMessage(unix.SOL_UDP, unix.UDP_GRO, []byte{1}), 5000},
		"cut off":   {gro(1200)[:10], 5000},
	} {
		if got := datagramSize(test.control, 5000); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}
