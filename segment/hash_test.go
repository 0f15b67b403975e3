package segment

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
)

func TestHashProgress(t *testing.T) {
	for _, size := range []int{0, 1, 16 << 10, 1_000_003} {
		var last int64
		_, err := Hash(context.Background(), bytes.NewReader(random(size)), int64(size), func(done int64) {
			if done <= last {
				t.Errorf("%d after %d", done, last)
			}
			last = done
		})
		if err != nil || last != int64(size) {
			t.Errorf("%d bytes: progress ended at %d (%v)", size, last, err)
		}
	}
}

// watched counts the bytes read from a file and notes the largest read.
type watched struct {
	io.ReaderAt
	read, largest atomic.Int64
}

func (w *watched) ReadAt(p []byte, off int64) (int, error) {
	w.read.Add(int64(len(p)))
	for {
		was := w.largest.Load()
		if int64(len(p)) <= was || w.largest.CompareAndSwap(was, int64(len(p))) {
			return w.ReaderAt.ReadAt(p, off)
		}
	}
}

func TestHashReadsOnceInBoundedPieces(t *testing.T) {
	data := random(9 << 20)
	l := Layout{Size: int64(len(data)), SegmentSize: 4 << 20}
	w := &watched{ReaderAt: bytes.NewReader(data)}
	if err := scan(context.Background(), w, l, nil, func(_ int, _ value, err error) error { return err }); err != nil {
		t.Fatal(err)
	}
	if w.read.Load() != l.Size {
		t.Errorf("%d bytes read of %d", w.read.Load(), l.Size)
	}
	if w.largest.Load() > 1<<20 {
		t.Errorf("%d bytes read at once", w.largest.Load())
	}
}

func TestHashOfShrunkFile(t *testing.T) {
	for _, have := range []int{0, 1, 16 << 10, 99_999} {
		m, err := Hash(context.Background(), bytes.NewReader(random(have)), 100_000, nil)
		if !errors.Is(err, io.ErrUnexpectedEOF) || m != nil {
			t.Errorf("%d bytes of 100000: %v", have, err)
		}
	}
}

type broken struct{ err error }

func (b broken) ReadAt([]byte, int64) (int, error) { return 0, b.err }

func TestHashOfBrokenFile(t *testing.T) {
	bad := errors.New("bad sector")
	if _, err := Hash(context.Background(), broken{bad}, 100_000, nil); !errors.Is(err, bad) {
		t.Errorf("got %v", err)
	}
}

func TestHashCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	const size = 4 << 20
	_, err := Hash(ctx, bytes.NewReader(random(size)), size, func(done int64) {
		cancel()
		if done == size {
			t.Error("hashed on to the end")
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestHashRefusesImpossibleSizes(t *testing.T) {
	for _, size := range []int64{-1, 1<<44 + 1} {
		if _, err := Hash(context.Background(), bytes.NewReader(nil), size, nil); err == nil {
			t.Errorf("%d bytes pass", size)
		}
	}
}

func BenchmarkHash(b *testing.B) {
	data := random(64 << 20)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Hash(context.Background(), bytes.NewReader(data), int64(len(data)), nil); err != nil {
			b.Fatal(err)
		}
	}
}

// Reading from the system's memory into a buffer that begins with a page, behind a header there, and where ours do.
func BenchmarkSkew(b *testing.B) {
	file, err := os.Create(filepath.Join(b.TempDir(), "file"))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Write(random(64 << 20)); err != nil {
		b.Fatal(err)
	}
	space := make([]byte, 4<<10+pieceSize)
	for _, skew := range []int{0, 21, Skew} {
		b.Run(strconv.Itoa(skew), func(b *testing.B) {
			b.SetBytes(pieceSize)
			for off := int64(0); b.Loop(); off = (off + pieceSize) % (64 << 20) {
				if _, err := file.ReadAt(space[skew:][:pieceSize], off); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
