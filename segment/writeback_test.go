package segment

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
)

// watchedDisk notes what it is asked to begin to write.
type watchedDisk struct {
	system
	asked []stretch
}

type stretch struct{ offset, n int64 }

func (d *watchedDisk) writeBack(_ file, offset, n int64) error {
	d.asked = append(d.asked, stretch{offset, n})
	return nil
}

func (d *watchedDisk) sum() (n int64) {
	for _, s := range d.asked {
		n += s.n
	}
	return n
}

// TestWriteBack has the disk asked for all that is written, once, not long after it was, and in
// stretches as large as may be.
func TestWriteBack(t *testing.T) {
	for _, c := range []struct {
		name  string
		order func(n int) []int
		most  int64 // calls
	}{
		{"in order", upTo, 3 * writeBackFrom / writeBackMost},
		{"from four servers", fourRuns, 3*writeBackFrom/writeBackMost + 12},
		{"in disorder", rand.Perm, 3 * writeBackFrom / minSegment},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if calls := writeBackIn(t, c.order); calls > c.most {
					t.Errorf("%d calls, want at most %d", calls, c.most)
				}
			})
		})
	}
}

// fourRuns takes the segments in turn from each quarter.
func fourRuns(n int) (list []int) {
	for i := range n {
		list = append(list, i%4*(n/4)+i/4)
	}
	return list
}

// writeBackIn writes a file in some order and returns how often the disk was asked to begin.
func writeBackIn(t *testing.T, order func(n int) []int) int64 {
	const size = 3 * writeBackFrom
	data := make([]byte, size)
	m := manifestOf(t, data)
	on := &watchedDisk{}
	p, err := createOn(on, t.TempDir(), "film.avi", m, false)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Discard()
	ctx, cancel := context.WithCancel(t.Context())
	var tasks sync.WaitGroup
	tasks.Go(func() { p.WriteBack(ctx) })

	seen := 0
	began := newBitmap(m.layout)
	for _, i := range order(m.layout.Count()) {
		fetch(t, p, data, i)
		synctest.Wait()
		if late := p.HaveBytes() - on.sum(); late >= writeBackFrom {
			t.Fatalf("%d bytes wait in memory, want less than %d", late, writeBackFrom)
		}
		for ; seen < len(on.asked); seen++ {
			beginsOnce(t, p, began, on.asked[seen])
		}
	}
	cancel()
	tasks.Wait()
	return int64(len(on.asked))
}

// beginsOnce holds that a stretch is of segments that are there and were not asked for before.
func beginsOnce(t *testing.T, p *Part, began bitmap, s stretch) {
	t.Helper()
	l := p.manifest.layout
	if s.n <= 0 || s.n > writeBackMost || s.offset%l.SegmentSize != 0 {
		t.Errorf("asked for %d bytes at %d", s.n, s.offset)
	}
	for at := s.offset; at < s.offset+s.n; at += l.SegmentSize {
		i := int(at / l.SegmentSize)
		if !p.Have(i) || began.has(i) {
			t.Errorf("asked for segment %d: there %t, asked for before %t", i, p.Have(i), began.has(i))
		}
		began.set(i)
	}
}

// TestWriteBackOnThisSystem holds that the system understands what it is asked.
func TestWriteBackOnThisSystem(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(make([]byte, 3<<20)); err != nil {
		t.Fatal(err)
	}
	if err := (system{}).writeBack(f, 1<<20, 1<<20); err != nil {
		t.Error(err)
	}
}
