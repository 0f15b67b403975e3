package transport

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"
)

// wire is a connection that keeps what is written, and reads what it is given.
type wire struct {
	net.Conn // nil: nothing else may be used
	in       io.Reader
	out      bytes.Buffer
}

func (w *wire) Read(p []byte) (int, error)  { return w.in.Read(p) }
func (w *wire) Write(p []byte) (int, error) { return w.out.Write(p) }

func mustCodec(t testing.TB, cores int) *codec {
	t.Helper()
	z, err := newCodec(cores)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// over returns what p is on the wire, written at once.
func over(t testing.TB, z *codec, p []byte) []byte {
	t.Helper()
	w := &wire{}
	if n, err := newZstdConn(w, z, false).Write(p); n != len(p) || err != nil {
		t.Fatalf("Write: %d, %v", n, err)
	}
	return w.out.Bytes()
}

func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

func prose(n int) []byte {
	words := strings.Fields("the server holds a full copy of one file and the client asks all of them at once for runs of segments")
	r := rand.New(rand.NewPCG(1, 2))
	var b []byte
	for len(b) < n {
		b = append(append(b, words[r.IntN(len(words))]...), ' ')
	}
	return b[:n]
}

// TestZstdPays: text gets small, and what does not compress hardly grows.
func TestZstdPays(t *testing.T) {
	z := mustCodec(t, 4)
	const size = 1 << 20
	if got := len(over(t, z, prose(size))); got > size/3 {
		t.Errorf("%d bytes of text take %d on the wire", size, got)
	}
	if got := len(over(t, z, noise(size))); got > size+size/1000 {
		t.Errorf("%d bytes of noise take %d on the wire", size, got)
	}
	half := append(noise(size/2), prose(size/2)...)
	if got := len(over(t, z, half)); got > size/2+size/5 {
		t.Errorf("%d bytes, half of them noise, take %d on the wire", size, got)
	}
}

// TestZstdIsProbedCheaply: noise is never given to the compressor.
func TestZstdIsProbedCheaply(t *testing.T) {
	for i := range 200 {
		block := make([]byte, 64<<10)
		rand.NewChaCha8([32]byte{byte(i)}).Read(block)
		if promising(block) {
			t.Fatalf("noise %d is held to be promising", i)
		}
	}
	if !promising(prose(64<<10)) || !promising(make([]byte, 64<<10)) {
		t.Error("text or zeros are not")
	}
}

// TestZstdLongWrites: one that is larger than what is encoded at once.
func TestZstdLongWrites(t *testing.T) {
	z := mustCodec(t, 2)
	want := prose(2*zstdWrite + 1)
	got, err := io.ReadAll(newZstdConn(&wire{in: bytes.NewReader(over(t, z, want))}, z, true))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes came back (%v), want %d", len(got), err, len(want))
	}
}

func TestZstdRoundTrip(t *testing.T) {
	codecs := []*codec{mustCodec(t, 1), mustCodec(t, 3)}
	const most = 1<<18 + 16 // what a server writes at once
	data := [][]byte{noise(most), prose(most)}
	rapid.Check(t, func(t *rapid.T) {
		z := rapid.SampledFrom(codecs).Draw(t, "cores")
		w := &wire{}
		c := newZstdConn(w, z, false)
		var want []byte
		for range rapid.IntRange(0, 4).Draw(t, "writes") {
			n := rapid.SampledFrom([]int{0, 1, 127, 128, 5000, 65536, most - 17, most - 16, most - 15, most}).Draw(t, "size")
			p := rapid.SampledFrom(data).Draw(t, "kind")[:n]
			want = append(want, p...)
			if m, err := c.Write(p); m != n || err != nil {
				t.Fatalf("Write: %d, %v", m, err)
			}
		}
		got, err := io.ReadAll(newZstdConn(&wire{in: &w.out}, z, true))
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes came back (%v), want %d", len(got), err, len(want))
		}
	})
}

// packed is a zstd frame by another encoder, with its header.
func packed(t testing.TB, block []byte) []byte {
	t.Helper()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	body := enc.EncodeAll(block, nil)
	return appendBody([]byte(zstdMagic), body, nil)
}

func TestZstdBrokenStreams(t *testing.T) {
	z := mustCodec(t, 1)
	good := over(t, z, prose(1000))
	for _, test := range []struct {
		name   string
		stream []byte
		want   error
	}{
		{"nothing", nil, nil},
		{"magic alone", good[:4], nil},
		{"half a magic", good[:3], io.ErrUnexpectedEOF},
		{"half a header", good[:6], io.ErrUnexpectedEOF},
		{"half a body", good[:len(good)-1], io.ErrUnexpectedEOF},
		{"plain braid", []byte("braid: this port speaks"), ErrMismatch},
		{"wrong at the last byte", []byte("\x89zs\x02\x00\x00\x00\x01x"), ErrMismatch},
		{"empty frame", []byte(zstdMagic + "\x00\x00\x00\x00"), errFrame},
		{"unknown kind", []byte(zstdMagic + "\x02\x00\x00\x01x"), errFrame},
		{"too long", []byte(zstdMagic + "\x00\x04\x00\x01x"), errFrame},
		{"no zstd", []byte(zstdMagic + "\x01\x00\x00\x05hello"), errFrame},
		{"unpacks to nothing", packed(t, nil), errFrame},
		{"unpacks to too much", packed(t, make([]byte, maxBlock+1)), errFrame},
		{"a bomb", packed(t, make([]byte, 64<<20)), errFrame},
	} {
		c := newZstdConn(&wire{in: bytes.NewReader(test.stream)}, z, false)
		_, err := io.ReadAll(c)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
		if _, again := c.Read(make([]byte, 1)); test.want != nil && !errors.Is(again, test.want) {
			t.Errorf("%s: the second time %v, want %v", test.name, again, test.want)
		}
	}
	if c := newZstdConn(&wire{in: bytes.NewReader(packed(t, make([]byte, maxBlock)))}, z, false); true {
		if got, err := io.ReadAll(c); len(got) != maxBlock || err != nil {
			t.Errorf("the largest block: %d bytes, %v", len(got), err)
		}
	}
}

// TestZstdLengthTakesNoMemory: what a header announces, and does not come.
func TestZstdLengthTakesNoMemory(t *testing.T) {
	c := newZstdConn(&wire{in: strings.NewReader(zstdMagic + "\x01\x04\x00\x00")}, mustCodec(t, 1), true).(*zstdConn)
	if _, err := c.Read(make([]byte, 1)); err != io.ErrUnexpectedEOF || cap(c.in) > 4*zstdRead {
		t.Errorf("%v, and it holds %d bytes", err, cap(c.in))
	}
}

// FuzzZstdRead: nothing that comes makes Read panic, loop, or hold more than
// a few blocks.
func FuzzZstdRead(f *testing.F) {
	z := mustCodec(f, 1)
	f.Add(over(f, z, prose(1000)))
	f.Add(over(f, z, noise(300)))
	f.Add(packed(f, make([]byte, 1<<20)))
	f.Add([]byte(zstdMagic + "\x01\x00\x00\x05hello"))
	f.Add([]byte("braid"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		c := newZstdConn(&wire{in: bytes.NewReader(stream)}, z, false).(*zstdConn)
		for buf := make([]byte, 1000); ; {
			n, err := c.Read(buf)
			if cap(c.in)+cap(c.space) > 4*maxBlock {
				t.Fatalf("holds %d and %d bytes", cap(c.in), cap(c.space))
			}
			if err != nil {
				return
			}
			if n == 0 {
				t.Fatal("Read returns nothing and no error")
			}
		}
	})
}

// TestMismatch: who speaks another transport is told apart at once, on the
// side that dials, and on the side that listens where it could go on.
func TestMismatch(t *testing.T) {
	registry := Builtin()
	for _, test := range []struct{ server, client string }{
		{"tcp+zstd", "tls"}, {"tls", "tcp+zstd"}, {"tls", "tls+zstd"}, {"quic", "quic+zstd"}, {"tls+zstd", "tcp+zstd"},
	} {
		t.Run(test.client+" to "+test.server, func(t *testing.T) {
			server, err := registry.New(test.server, Options{})
			if err != nil {
				t.Fatal(err)
			}
			client, err := registry.New(test.client, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer closeTransport(client)
			h := newStranger(t, server)
			begun := time.Now()
			_, err = ask(client, h.Addr().String())
			if !errors.Is(err, ErrMismatch) || time.Since(begun) > patience/2 {
				t.Errorf("%v after %v, want ErrMismatch", err, time.Since(begun))
			}
		})
	}
}

// newStranger is a server that answers what it does not understand in the
// way of braid: with a line.
func newStranger(t *testing.T, tr Transport) net.Listener {
	t.Helper()
	ln, err := tr.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			c.SetDeadline(time.Now().Add(patience))
			if _, err := c.Read(make([]byte, 1)); err == nil {
				lastWords(c, []byte("braid: use a braid client\r\n"))
			}
			c.Close()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
		closeTransport(tr)
	})
	return ln
}

// TestPlainClientsAreTold: a plain client of a tls or zstd port reads
// something that is no preface, instead of waiting or a bare end.
func TestPlainClientsAreTold(t *testing.T) {
	for _, name := range []string{"tls", "tls+zstd", "tcp+zstd"} {
		server, err := Builtin().New(name, Options{})
		if err != nil {
			t.Fatal(err)
		}
		ln := newStranger(t, server)
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(patience))
		io.WriteString(c, "braid\x00\x01\x00, and what a client says")
		got := make([]byte, 6)
		if n, err := io.ReadAtLeast(c, got, 4); err != nil || string(got[:n]) == "braid\x00" {
			t.Errorf("%s: %q, %v", name, got[:n], err)
		}
		c.Close()
	}
}
