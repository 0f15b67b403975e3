package transport

import (
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress"
)

// Each direction of a compressed stream is zstdMagic and then frames: a byte
// for the kind, three for the length (big-endian, at least 1) of the body that
// follows. A raw body is at most maxBlock bytes of the stream; a packed one is a zstd
// frame (RFC 8878) of its own that unpacks to at most as many, and at least one.
const (
	zstdMagic   = "\x89zs\x01"
	frameHeader = 4
	maxBlock    = 256 << 10 // bytes

	kindRaw    = 0
	kindPacked = 1
)

// Blocks: one that is shorter than minPiece is not cut up for the sake of
// another core, and one shorter than minPacked is not worth packing.
const (
	minPiece  = 64 << 10
	minPacked = 128
)

// errFrame is a frame that breaks the rules.
var errFrame = errors.New("zstd: broken frame")

// appendFrames appends p, which is not empty, as frames to dst. Pieces of it are
// compressed on all cores.
func (z *codec) appendFrames(dst, p []byte) []byte {
	n := max((len(p)+maxBlock-1)/maxBlock, min(z.cores, len(p)/minPiece))
	if n <= 1 {
		return z.appendFrame(dst, p)
	}
	packed := make([][]byte, n)
	var tasks sync.WaitGroup
	for i := range n {
		piece := p[len(p)*i/n : len(p)*(i+1)/n]
		tasks.Go(func() { packed[i] = z.pack(piece) })
	}
	tasks.Wait()
	for i, body := range packed {
		dst = appendBody(dst, body, p[len(p)*i/n:len(p)*(i+1)/n])
		z.giveBack(body)
	}
	return dst
}

// appendFrame appends one block as a frame.
func (z *codec) appendFrame(dst, block []byte) []byte {
	body := z.pack(block)
	defer z.giveBack(body)
	return appendBody(dst, body, block)
}

// appendBody appends a packed body, or where that is nil, the raw block.
func appendBody(dst, packed, raw []byte) []byte {
	kind, body := byte(kindPacked), packed
	if packed == nil {
		kind, body = kindRaw, raw
	}
	n := len(body)
	dst = append(dst, kind, byte(n>>16), byte(n>>8), byte(n))
	return append(dst, body...)
}

// pack compresses a block; nil: it is not worth it. The caller gives the
// result back.
func (z *codec) pack(block []byte) []byte {
	if len(block) < minPacked || !promising(block) {
		return nil
	}
	var space []byte
	if old, ok := z.spare.Get().(*[]byte); ok {
		space = *old
	}
	packed := z.enc.EncodeAll(block, space[:0])
	if len(packed) > len(block)-len(block)/16 {
		z.giveBack(packed)
		return nil
	}
	return packed
}

// giveBack keeps the space of a packed block for another one.
func (z *codec) giveBack(packed []byte) {
	if packed != nil {
		z.spare.Put(&packed)
	}
}

// Probing: samples of a block that are looked at, and what klauspost's
// estimate (order-1 prediction and histogram) must say of one of them.
const (
	samples    = 3
	sampleSize = 2 << 10
	wanted     = 0.1
)

// promising tells cheaply whether a block is likely to shrink.
func promising(block []byte) bool {
	if len(block) <= samples*sampleSize {
		return compress.Estimate(block) > wanted
	}
	for i := range samples {
		at := (len(block) - sampleSize) * i / (samples - 1)
		if compress.Estimate(block[at:at+sampleSize]) > wanted {
			return true
		}
	}
	return false
}

// parseHeader checks a frame's header and returns the length of its body.
func parseHeader(h []byte) (kind byte, n int, err error) {
	kind, n = h[0], int(h[1])<<16|int(h[2])<<8|int(h[3])
	if kind > kindPacked || n == 0 || n > maxBlock {
		return 0, 0, fmt.Errorf("%w: kind %d, %d bytes", errFrame, kind, n)
	}
	return kind, n, nil
}

// unpack decompresses a packed body into space, which has a capacity of
// maxBlock: what would need more is broken.
func (z *codec) unpack(space, body []byte) ([]byte, error) {
	block, err := z.dec.DecodeAll(body, space[:0])
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errFrame, err)
	case len(block) == 0:
		return nil, fmt.Errorf("%w: it unpacks to nothing", errFrame)
	}
	return block, nil
}
