package transporttest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

func testAcceptAfterClose(t *testing.T, f *fixture) {
	if err := f.ln.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	for range 2 {
		if c, err := f.ln.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept after Close: %v, %v, want net.ErrClosed", c, err)
		}
	}
}

func testCloseUnblocksAccept(t *testing.T, f *fixture) {
	ended := make(chan error, 1)
	go func() {
		_, err := f.ln.Accept()
		ended <- err
	}()
	time.Sleep(10 * time.Millisecond) // into Accept, most likely
	f.ln.Close()
	select {
	case err := <-ended:
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v, want net.ErrClosed", err)
		}
	case <-time.After(patience):
		t.Error("Accept does not end")
	}
}

func testDialCancelled(t *testing.T, f *fixture) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if c, err := f.tr.Dial(ctx, f.address); !errors.Is(err, context.Canceled) {
		t.Errorf("Dial with a cancelled context: %v, %v, want context.Canceled", c, err)
	}
}

func testCancelAfterDial(t *testing.T, f *fixture) {
	accepted := make(chan net.Conn, 1)
	go func() {
		c, _ := f.ln.Accept()
		accepted <- c
	}()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	dialled, err := f.tr.Dial(ctx, f.address)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	f.conns = append(f.conns, dialled, <-accepted)
	expectEcho(t, f.conns[0], f.conns[1])
	expectEcho(t, f.conns[1], f.conns[0])
}

// expectEcho sends a word from one end and reads it at the other.
func expectEcho(t *testing.T, from, to net.Conn) {
	t.Helper()
	to.SetReadDeadline(time.Now().Add(patience))
	from.SetWriteDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(from, "hello"); err != nil {
		t.Fatalf("Write: %v", err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(to, got); err != nil || string(got) != "hello" {
		t.Fatalf("Read: %q, %v", got, err)
	}
}

func testNobodyListens(t *testing.T, f *fixture) {
	f.ln.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if c, err := f.tr.Dial(ctx, f.address); err == nil {
		c.Close()
		t.Error("Dial where nobody listens has succeeded")
	}
}

// testListenAgain: a server is started again on its port, even though a
// connection of its earlier life is still open.
func testListenAgain(t *testing.T, f *fixture) {
	f.pair()
	f.ln.Close()
	for _, c := range f.conns {
		c.Close()
	}
	ln, err := f.tr.Listen(t.Context(), f.address)
	if err != nil {
		t.Fatalf("Listen again: %v", err)
	}
	f.ln = ln
	expectEcho(f.t, f.conn(f.pair()), f.conns[len(f.conns)-1])
}

func (f *fixture) conn(dialled, _ net.Conn) net.Conn { return dialled }

func testListenerSpeaksFirst(t *testing.T, f *fixture) {
	dialled, accepted := f.pair()
	expectEcho(t, accepted, dialled)
}

func noise(n int) []byte {
	r := rand.NewChaCha8([32]byte{})
	b := make([]byte, n)
	r.Read(b)
	return b
}

// testEndAfterAllData: who writes and closes at once loses nothing, and the other side
// reads io.EOF after it, also when it reads late and in small pieces.
func testEndAfterAllData(t *testing.T, f *fixture) {
	for _, from := range []string{"dialled", "accepted"} {
		writer, reader := f.pair()
		if from == "accepted" {
			writer, reader = reader, writer
		}
		want := noise(100_000)
		if _, err := writer.Write(want); err != nil {
			t.Fatalf("%s: Write: %v", from, err)
		}
		if err := writer.Close(); err != nil {
			t.Fatalf("%s: Close: %v", from, err)
		}
		time.Sleep(20 * time.Millisecond) // to be late
		var got bytes.Buffer
		if _, err := io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{reader}, make([]byte, 999)); err != nil {
			t.Errorf("%s: Read: %v after %d of %d bytes", from, err, got.Len(), len(want))
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: %d bytes have come, want %d", from, got.Len(), len(want))
		}
	}
}

// testLargeBothWays sends much in both directions at once, in pieces of all
// sizes, half of it noise, half of it text.
func testLargeBothWays(t *testing.T, f *fixture) {
	dialled, accepted := f.pair()
	data := append(noise(1<<20), bytes.Repeat([]byte("All work and no play makes Jack a dull boy. "), 20_000)...)
	var tasks sync.WaitGroup
	for i, ends := range [][2]net.Conn{{dialled, accepted}, {accepted, dialled}} {
		tasks.Go(func() {
			if err := writePieces(ends[0], data, rand.New(rand.NewPCG(1, uint64(i)))); err != nil {
				t.Errorf("Write: %v", err)
			}
		})
		tasks.Go(func() {
			got := make([]byte, len(data))
			if _, err := io.ReadFull(ends[1], got); err != nil {
				t.Errorf("Read: %v", err)
			} else if !bytes.Equal(got, data) {
				t.Error("other bytes have come than were sent")
			}
		})
	}
	tasks.Wait()
}

func writePieces(w io.Writer, data []byte, r *rand.Rand) error {
	for len(data) > 0 {
		n := min(1+r.IntN(1<<r.IntN(20)), len(data))
		if _, err := w.Write(data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// testHundred opens a hundred connections at once; each has its own stream.
func testHundred(t *testing.T, f *fixture) {
	const count = 100
	var servers, clients sync.WaitGroup
	servers.Go(func() {
		for range count {
			c, err := f.ln.Accept()
			if err != nil {
				t.Errorf("Accept: %v", err)
				return
			}
			servers.Go(func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(patience))
				io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
			})
		}
	})
	for i := range count {
		clients.Go(func() {
			if err := f.askEcho(uint64(i)); err != nil {
				t.Errorf("connection %d: %v", i, err)
			}
		})
	}
	clients.Wait()
	if t.Failed() {
		f.ln.Close()
	}
	servers.Wait()
}

func (f *fixture) askEcho(n uint64) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := f.tr.Dial(ctx, f.address)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	want := binary.BigEndian.AppendUint64(nil, n)
	if _, err := c.Write(want); err != nil {
		return err
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("got %x, want %x", got, want)
	}
	return nil
}

// testDeadlines: a deadline that has passed fails with os.ErrDeadlineExceeded,
// and one that is taken back works as if it had never been.
func testDeadlines(t *testing.T, f *fixture) {
	dialled, accepted := f.pair()
	for range 3 {
		dialled.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if n, err := dialled.Read(make([]byte, 10)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read: %d, %v, want os.ErrDeadlineExceeded", n, err)
		}
		dialled.SetWriteDeadline(time.Unix(1, 0))
		if n, err := dialled.Write([]byte("never")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write: %d, %v, want os.ErrDeadlineExceeded", n, err)
		}
		dialled.SetDeadline(time.Time{})
		expectEcho(t, dialled, accepted)
		expectEcho(t, accepted, dialled)
	}
}

// testWriteDeadlineLosesNothing: a writer that goes on with what Write has not counted delivers
// every byte once, however often its deadline passes in the middle.
func testWriteDeadlineLosesNothing(t *testing.T, f *fixture) {
	dialled, accepted := f.pair()
	want := append(noise(5<<20), bytes.Repeat([]byte("text, text, text. "), 10_000)...)
	timeouts := 0
	full := make(chan struct{}) // closed when the buffers on the way are, or all is sent
	var tasks sync.WaitGroup
	tasks.Go(func() {
		defer accepted.Close()
		fill := sync.OnceFunc(func() { close(full) })
		defer fill()
		end := time.Now().Add(patience)
		for rest := want; len(rest) > 0 && time.Now().Before(end); {
			accepted.SetWriteDeadline(time.Now().Add(3 * time.Millisecond))
			n, err := accepted.Write(rest[:min(len(rest), 1<<20)])
			rest = rest[n:]
			if errors.Is(err, os.ErrDeadlineExceeded) {
				timeouts++
				fill()
			} else if err != nil {
				t.Errorf("Write: %v", err)
				return
			}
		}
		fill()
		// What a deadline has left behind goes with the next word.
		accepted.SetWriteDeadline(end)
		if _, err := accepted.Write([]byte(".")); err != nil {
			t.Errorf("the last Write: %v", err)
		}
	})
	<-full
	got, err := io.ReadAll(dialled)
	tasks.Wait()
	if err != nil || !bytes.Equal(got, append(want, '.')) {
		t.Errorf("%d bytes have come (%v), want %d", len(got), err, len(want)+1)
	}
	if timeouts == 0 {
		t.Error("no deadline has passed: nothing was tested")
	}
}

// testReadDeadlineLosesNothing: the same of a reader.
func testReadDeadlineLosesNothing(t *testing.T, f *fixture) {
	dialled, accepted := f.pair()
	want := append(noise(50_000), bytes.Repeat([]byte("text, text, text. "), 5_000)...)
	go func() {
		for rest := want; len(rest) > 0; {
			n := min(len(rest), 7_000)
			accepted.Write(rest[:n])
			rest = rest[n:]
			time.Sleep(5 * time.Millisecond) // longer than a transport gathers
		}
		accepted.Close()
	}()
	var got []byte
	timeouts, buf := 0, make([]byte, 3000)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		dialled.SetReadDeadline(time.Now().Add(500 * time.Microsecond))
		n, err := dialled.Read(buf)
		got = append(got, buf[:n]...)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			timeouts++
		} else if err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("Read: %v", err)
		}
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes have come, want %d", len(got), len(want))
	}
	if timeouts == 0 {
		t.Error("no deadline has passed: nothing was tested")
	}
}

// testCloseUnblocks: Close ends a Read and a Write that wait, and what comes after fails.
func testCloseUnblocks(t *testing.T, f *fixture) {
	dialled, _ := f.pair()
	ended := make(chan error, 2)
	go func() {
		_, err := dialled.Read(make([]byte, 1))
		ended <- err
	}()
	go func() {
		var err error
		for b := make([]byte, 64<<10); err == nil; {
			_, err = dialled.Write(b)
		}
		ended <- err
	}()
	time.Sleep(50 * time.Millisecond) // the Write fills what there is
	dialled.Close()
	for range 2 {
		select {
		case err := <-ended:
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("%v, want net.ErrClosed", err)
			}
		case <-time.After(patience):
			t.Fatal("Close does not end what waits")
		}
	}
	if _, err := dialled.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read after Close: %v, want net.ErrClosed", err)
	}
	if _, err := dialled.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write after Close: %v, want net.ErrClosed", err)
	}
}

// testHalfClose: after CloseWrite the other side reads io.EOF, and can still
// answer. A connection without CloseWrite passes.
func testHalfClose(t *testing.T, f *fixture) {
	for _, first := range []string{"dialled", "accepted"} {
		one, other := f.pair()
		if first == "accepted" {
			one, other = other, one
		}
		half, ok := one.(interface{ CloseWrite() error })
		if !ok {
			t.Logf("%T has no CloseWrite", one)
			return
		}
		expectEcho(t, one, other)
		if err := half.CloseWrite(); err != nil {
			t.Fatalf("%s: CloseWrite: %v", first, err)
		}
		if n, err := other.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Fatalf("%s: Read after the other side's CloseWrite: %d, %v, want io.EOF", first, n, err)
		}
		expectEcho(t, other, one)
		if _, err := one.Write([]byte("x")); err == nil {
			t.Errorf("%s: Write after CloseWrite has succeeded", first)
		}
	}
}

// testCut: after SetLinger(0), where a connection has it, Close tells the other side at once, and
// by an error: a crash is no end of the stream.
func testCut(t *testing.T, f *fixture) {
	dialled, accepted := f.pair()
	expectEcho(t, dialled, accepted)
	l, ok := accepted.(interface{ SetLinger(int) error })
	cut := ok && l.SetLinger(0) == nil
	if !cut {
		t.Log("SetLinger is not supported: an ordinary Close")
	}
	accepted.Close()
	begun := time.Now()
	if _, err := io.Copy(io.Discard, dialled); cut && err == nil || errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begun) > patience/2 {
		t.Errorf("Read after the other side's cut: %v after %v", err, time.Since(begun))
	}
}
