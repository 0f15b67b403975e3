package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

var loopback = []*net.UDPAddr{
	{IP: net.IPv6loopback, Port: 1}, {IP: net.IPv4(127, 0, 0, 1), Port: 2}, {IP: net.IPv4(127, 0, 0, 2), Port: 3},
}

// TestRaceGoesOn: an address that fails, or is silent, does not stop the next one.
func TestRaceGoesOn(t *testing.T) {
	refused := errors.New("refused")
	for name, first := range map[string]func(context.Context) error{
		"fails":  func(context.Context) error { return refused },
		"silent": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		c, err := race(ctx, loopback, func(ctx context.Context, addr *net.UDPAddr) (net.Conn, error) {
			if addr.Port == 2 {
				return &wire{}, nil
			}
			return nil, first(ctx)
		})
		if c == nil || err != nil {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
}

func TestRaceFails(t *testing.T) {
	var tries atomic.Int32
	first := errors.New("the first address")
	_, err := race(context.Background(), loopback, func(_ context.Context, addr *net.UDPAddr) (net.Conn, error) {
		tries.Add(1)
		if addr.Port == 1 {
			return nil, first
		}
		return nil, errors.New("another one")
	})
	if err != first || tries.Load() != 3 {
		t.Errorf("%v after %d tries", err, tries.Load())
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := race(ctx, loopback, func(ctx context.Context, _ *net.UDPAddr) (net.Conn, error) { return nil, ctx.Err() }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

// TestLookUp resolves what net.Dial would.
func TestLookUp(t *testing.T) {
	for in, want := range map[string]string{
		"127.0.0.1:9001": "127.0.0.1:9001", "[::1]:9001": "[::1]:9001", ":9001": "127.0.0.1:9001",
	} {
		all, err := lookUp(t.Context(), in)
		found := false
		for _, a := range all {
			found = found || a.String() == want
		}
		if err != nil || !found {
			t.Errorf("%s: %v, %v, want %s", in, all, err, want)
		}
	}
	for _, in := range []string{"127.0.0.1", "127.0.0.1:70000", "127.0.0.1:x-y-z"} {
		if all, err := lookUp(t.Context(), in); err == nil {
			t.Errorf("%s: %v, want an error", in, all)
		}
	}
}

// TestQuietSocket: quic-go neither grows the buffers nor writes to the log.
func TestQuietSocket(t *testing.T) {
	var logged bytes.Buffer
	old := log.Writer()
	log.SetOutput(&logged)
	defer log.SetOutput(old)
	client := newQUIC(someone(t, 0), nil)
	h := newHost(t, newQUIC(someone(t, 0), nil))
	if got, err := ask(client, h.ln.Addr().String()); got != secret {
		t.Errorf("got %q, %v", got, err)
	}
	client.Close()
	h.stop()
	if logged.Len() > 0 {
		t.Errorf("logged: %s", logged.String())
	}
	udp, err := net.ListenUDP("udp", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	s := &quietSocket{UDPConn: udp}
	if _, err := s.SyscallConn(); err == nil {
		t.Error("the socket can be inspected before its buffers were asked for")
	}
	if err := errors.Join(s.SetReadBuffer(1), s.SetWriteBuffer(1)); err != nil {
		t.Error(err)
	}
	if _, err := s.SyscallConn(); err != nil {
		t.Errorf("after they were asked for: %v", err)
	}
}

// TestNarrowBuffersAreToldOnce, with the number and with what to do.
func TestNarrowBuffersAreToldOnce(t *testing.T) {
	var told []string
	tr := newQUIC(someone(t, 0), func(s string) { told = append(told, s) })
	tr.checkBuffer(quicBuffer)
	if len(told) > 0 {
		t.Errorf("told %q of buffers that are large enough", told)
	}
	tr.checkBuffer(416 << 10)
	tr.checkBuffer(416 << 10)
	if len(told) != 1 || !strings.Contains(told[0], "416 KiB") || !strings.Contains(told[0], bufferAdvice) || strings.Contains(told[0], "\n") {
		t.Errorf("told %q", told)
	}
}

// TestCutIsSeenAtOnce: a connection that is cut ends at the other side with
// ECONNRESET, not after the idle limit.
func TestCutIsSeenAtOnce(t *testing.T) {
	server := newQUIC(someone(t, 0), nil)
	ln, err := server.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	defer ln.Close()
	client := newQUIC(someone(t, 0), nil)
	defer client.Close()
	c, err := client.Dial(t.Context(), ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if n := ln.(*quicListener).handshakes.count(); n != 0 {
		t.Errorf("%d handshakes are under way", n)
	}
	setLinger(s, 0)
	s.Close()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed) {
		t.Errorf("%v, want ECONNRESET", err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v, want ECONNRESET", err)
	}
}

// TestLingerEnds: when both sides have closed, the connection does not stay
// for the whole linger time.
func TestLingerEnds(t *testing.T) {
	h := newHost(t, newQUIC(someone(t, 0), nil))
	client := newQUIC(someone(t, 0), nil)
	if got, err := ask(client, h.ln.Addr().String()); got != secret {
		t.Fatalf("got %q, %v", got, err)
	}
	begun := time.Now()
	client.lingering.Wait()
	h.ln.Close()
	server := h.ln.(*quicListener).transport
	server.lingering.Wait()
	if took := time.Since(begun); took > quicLinger/2 {
		t.Errorf("it took %v", took)
	}
	h.stop()
	client.Close()
}

// TestManyLingerShortly: clients that never close cannot pile up connections that have been served.
func TestManyLingerShortly(t *testing.T) {
	_, conn := accepted(t, "quic")
	server := conn.(*quicConn).transport
	server.lingers.Add(manyLingering)
	begun := time.Now()
	conn.Close()
	server.lingering.Wait()
	if took := time.Since(begun); took < shortLinger/2 || took > quicLinger/2 {
		t.Errorf("it took %v, want %v", took, shortLinger)
	}
	if n := server.lingers.Load(); n != manyLingering {
		t.Errorf("%d are counted, want %d", n, manyLingering)
	}
}

// TestOldPortIsTakenOver: the connections of a closed listener keep its socket,
// and a new listener on the same port shares it.
func TestOldPortIsTakenOver(t *testing.T) {
	server := newQUIC(someone(t, 0), nil)
	defer server.Close()
	ln, err := server.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	client := newQUIC(someone(t, 0), nil)
	defer client.Close()
	c, err := client.Dial(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ln.Close()
	again, err := server.Listen(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if third, err := server.Listen(t.Context(), addr); err == nil {
		third.Close()
		t.Error("two listeners on one port")
	}
	s.SetDeadline(time.Now().Add(patience))
	c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, hello)
	if _, err := io.ReadFull(s, make([]byte, len(hello))); err != nil {
		t.Errorf("the old connection: %v", err)
	}
	d, err := client.Dial(t.Context(), addr)
	if err != nil {
		t.Fatalf("the new listener: %v", err)
	}
	d.Close()
	again.Close()
	socket := server.listening[addr]
	socket.quic.Close() // so that nobody can listen on it
	if third, err := server.Listen(t.Context(), addr); err == nil {
		third.Close()
		t.Error("a listener on a closed socket")
	}
	if socket.open {
		t.Error("the socket is held to be listened on, and so can not be taken over")
	}
}

// TestFirstByteIsNotAwaitedForEver: a stream that says nothing ends with the listener, or in time.
func TestFirstByteIsNotAwaitedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent, client := net.Pipe()
		defer client.Close()
		ctx, cancel := context.WithTimeout(t.Context(), unreadyLimit)
		if err := readOpen(ctx, silent); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("in time: %v", err)
		}
		cancel()
		silent.SetReadDeadline(time.Time{})
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if err := readOpen(ctx, silent); !errors.Is(err, context.Canceled) {
			t.Errorf("at the end: %v", err)
		}
	})
}

// TestFirstByte: only ours is taken, and a later cancellation means nothing to the stream.
func TestFirstByte(t *testing.T) {
	for first, good := range map[byte]bool{streamOpen: true, 'G': false} {
		stream, client := net.Pipe()
		go client.Write([]byte{first, 'x'})
		ctx, cancel := context.WithCancel(t.Context())
		if err := readOpen(ctx, stream); (err == nil) != good {
			t.Errorf("first byte %d: %v", first, err)
		}
		cancel()
		if _, err := io.ReadFull(stream, make([]byte, 1)); err != nil {
			t.Errorf("after the byte %d: %v", first, err)
		}
	}
}

// TestServerHoldsLittle: who listens keeps no more for a reader that looks away than requests need,
// however much it has read before.
func TestServerHoldsLittle(t *testing.T) {
	dialled, accepted := accepted(t, "quic")
	const much = 2 << 20
	read := make(chan error, 1)
	go func() {
		_, err := io.CopyN(io.Discard, accepted, much)
		read <- err
	}()
	_, err := dialled.Write(make([]byte, much))
	if err := errors.Join(err, <-read); err != nil {
		t.Fatal(err)
	}
	dialled.SetWriteDeadline(time.Now().Add(300 * time.Millisecond)) // enough to fill a larger window
	if n, err := dialled.Write(make([]byte, much)); n > serverWindow || !isTimeout(err) {
		t.Errorf("%d bytes have gone to a server that does not read (%v), want %d at most", n, err, serverWindow)
	}
}
