package segment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// pieceSize is how much of a segment a worker reads at once, in bytes: it bounds
// the memory and stays in the core's cache for the hashing.
const pieceSize = 256 << 10

// Skew is where in a page of memory a buffer had better begin that the system copies bytes of the file into or out
// of, in bytes: half a page from where they begin in its own pages. AMD's processors copy (`rep movsb`, which Linux
// uses) at a fifth of the speed where the target lies up to 32 bytes further in its page than the source in its own,
// some also where both lie alike (https://github.com/apache/opendal/issues/3665). Go begins a page with what is larger
// than 32 KiB.
const Skew = 2 << 10

// Buffer returns a buffer for n bytes of the file that begins so.
func Buffer(n int) []byte { return make([]byte, Skew+n)[Skew:] }

// workersPerCore lets one worker read while another one hashes.
const workersPerCore = 2

// Hash reads size bytes once, on all cores, and returns their manifest. It calls
// progress, which may be nil, with the number of bytes done so far, growing, from
// one goroutine at a time. A source with fewer bytes is an error that wraps
// io.ErrUnexpectedEOF.
func Hash(ctx context.Context, r io.ReaderAt, size int64, progress func(done int64)) (*Manifest, error) {
	l := LayoutOf(size)
	if err := l.Check(); err != nil {
		return nil, err
	}
	values := make([]byte, ManifestSize(l))
	var (
		mu   sync.Mutex
		done int64
	)
	err := scan(ctx, r, l, nil, func(i int, v value, err error) error {
		if err != nil {
			return err
		}
		b := v.bytes()
		copy(values[i*valueSize:], b[:])
		if progress != nil {
			mu.Lock()
			defer mu.Unlock()
			done += int64(l.Len(i))
			progress(done)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &Manifest{layout: l, root: foldValues(values), values: values}, nil
}

// scan reads the segments for which want says so (all, if it is nil) on all cores
// and calls visit with the value of each, or with why it cannot be read, from several
// goroutines at once. The first error that visit returns ends it.
func scan(ctx context.Context, r io.ReaderAt, l Layout, want func(i int) bool, visit func(i int, v value, err error) error) error {
	workers, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range min(workersPerCore*min(runtime.GOMAXPROCS(0), runtime.NumCPU()), l.Count()) {
		workers.Go(func() error {
			var h hasher
			piece := Buffer(int(min(pieceSize, l.SegmentSize)))
			for {
				i := int(next.Add(1)) - 1
				if i >= l.Count() {
					return nil
				}
				if want != nil && !want(i) {
					continue
				}
				unreadable := h.readSegment(ctx, r, l, i, piece)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if err := visit(i, h.sum(l.Count() == 1), unreadable); err != nil {
					return err
				}
			}
		})
	}
	return workers.Wait()
}

// readSegment hashes segment i, reading it by way of piece.
func (h *hasher) readSegment(ctx context.Context, r io.ReaderAt, l Layout, i int, piece []byte) error {
	h.reset(l.Offset(i))
	for off, end := l.Offset(i), l.Offset(i)+int64(l.Len(i)); off < end; {
		if err := ctx.Err(); err != nil {
			return err
		}
		p := piece[:min(int64(len(piece)), end-off)]
		n, err := r.ReadAt(p, off)
		if n < len(p) {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("reading %d bytes at %d: %w", len(p), off, err)
		}
		h.write(p)
		off += int64(n)
	}
	return nil
}
