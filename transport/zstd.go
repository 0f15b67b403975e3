package transport

import (
	"context"
	"io"
	"net"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Zstd is driver d with everything compressed on the way, under the name of d
// with "+zstd" behind it. The streams are described in zstdframe.go.
func Zstd(d Driver) Driver {
	name := d.Name + "+zstd"
	return Driver{Name: name, New: func(o Options) (Transport, error) {
		inner, err := d.New(o)
		if err != nil {
			return nil, err
		}
		codec, err := newCodec(runtime.GOMAXPROCS(0))
		if err != nil {
			return nil, err
		}
		return &zstdTransport{name: name, inner: inner, codec: codec}, nil
	}}
}

type zstdTransport struct {
	name  string
	inner Transport
	codec *codec
}

func (t *zstdTransport) Name() string { return t.name }

func (t *zstdTransport) Dial(ctx context.Context, addr string) (net.Conn, error) {
	conn, err := t.inner.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	return newZstdConn(conn, t.codec, false), nil
}

func (t *zstdTransport) Listen(ctx context.Context, addr string) (net.Listener, error) {
	l, err := t.inner.Listen(ctx, addr)
	if err != nil {
		return nil, err
	}
	return zstdListener{l, t.codec}, nil
}

// Close closes the inner transport, if there is anything to close.
func (t *zstdTransport) Close() error {
	if c, ok := t.inner.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

type zstdListener struct {
	net.Listener
	codec *codec
}

func (l zstdListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newZstdConn(conn, l.codec, true), nil
}

// codec compresses and decompresses blocks, for all connections of a transport.
type codec struct {
	cores int
	enc   *zstd.Encoder
	dec   *zstd.Decoder
	spare sync.Pool // of *[]byte, for packed blocks
	out   sync.Pool // see outbox
}

func newCodec(cores int) (*codec, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(cores),
		zstd.WithWindowSize(maxBlock), zstd.WithSingleSegment(true), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(cores), zstd.WithDecodeAllCapLimit(true),
		zstd.WithDecoderMaxWindow(maxBlock), zstd.WithDecoderMaxMemory(maxBlock), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	return &codec{cores: cores, enc: enc, dec: dec}, nil
}
