package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"braid/segment"
)

// TestDiscardWhileWriting gives a content up under the hands of its readers;
// the race detector looks on.
func TestDiscardWhileWriting(t *testing.T) {
	dir, data := t.TempDir(), make([]byte, 1<<20)
	part := newPart(t, dir, data)
	st, m := newStore(part, nil), part.Manifest()
	var readers sync.WaitGroup
	st.start(t.Context(), &readers, part.WriteBack)
	written := make(chan struct{}, 1)
	for range 4 {
		readers.Go(func() {
			for i := 0; ; i = (i + 1) % m.Layout().Count() {
				_, err := keep(st, segment.Run{First: i, Count: 1}, data[:m.Layout().Len(i)])
				if errors.Is(err, errGivenUp) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				select {
				case written <- struct{}{}:
				default:
				}
			}
		})
	}
	<-written
	st.giveUp()
	st.discard()
	readers.Wait()
	if segment.Leftover(dir, "f.bin") {
		t.Error("the files are still there")
	}
}

// TestKeepWhatIsGood has a damaged segment in a run: what comes before it is kept.
func TestKeepWhatIsGood(t *testing.T) {
	const size = 16 << 10
	data := make([]byte, 8*size)
	rand.NewChaCha8([32]byte{}).Read(data)
	for bad, want := range map[int]int{2: 0, 4: 2, 5: 3} {
		part := newPart(t, t.TempDir(), data)
		st := newStore(part, nil)
		run, sent := segment.Run{First: 2, Count: 4}, bytes.Clone(data[2*size:6*size])
		sent[(bad-2)*size+7] ^= 1
		kept, err := keep(st, run, sent)
		if kept != (segment.Run{First: 2, Count: want}) || !errors.Is(err, errCorrupt) || !strings.HasSuffix(err.Error(), fmt.Sprintf("(segment %d)", bad)) {
			t.Errorf("segment %d is damaged: kept %+v, %v", bad, kept, err)
		}
		onDisk, err := os.ReadFile(part.Path())
		if err != nil || !bytes.Equal(onDisk[2*size:(2+want)*size], data[2*size:(2+want)*size]) {
			t.Errorf("segment %d is damaged: those before it are not on the disk (%v)", bad, err)
		}
		part.Discard()
	}
}

// TestFailedDiskIsLeftAlone has a write fail: what would be written after it fails alike, at once.
func TestFailedDiskIsLeftAlone(t *testing.T) {
	data := make([]byte, 1<<20)
	part := newPart(t, t.TempDir(), data)
	defer part.Discard()
	full := &segment.DiskError{Op: "write", Path: part.Path(), Err: syscall.ENOSPC}
	writes := 0
	st := newStore(part, func(*segment.Part) write {
		return func(segment.Run, []byte) error { writes++; return full }
	})
	for i := range 3 {
		run := segment.Run{First: i, Count: 1}
		if kept, err := keep(st, run, data[:part.Manifest().Layout().Len(i)]); kept.Count != 0 || err != full {
			t.Errorf("segment %d: kept %d, %v; want none, %v", i, kept.Count, err, full)
		}
	}
	if writes != 1 {
		t.Errorf("the disk was asked %d times, want once", writes)
	}
}

// newPart begins a download of data as f.bin.
func newPart(t *testing.T, dir string, data []byte) *segment.Part {
	t.Helper()
	m, err := segment.Hash(context.Background(), bytes.NewReader(data), int64(len(data)), nil)
	if err != nil {
		t.Fatal(err)
	}
	part, err := segment.Create(dir, "f.bin", m)
	if err != nil {
		t.Fatal(err)
	}
	return part
}

// TestNoLookAtWhatIsReplaced has a file that is to go whatever it holds: it is not read, so that a
// cancelled context is not noticed.
func TestNoLookAtWhatIsReplaced(t *testing.T) {
	dir := t.TempDir()
	part := newPart(t, dir, make([]byte, 1<<20))
	defer part.Discard()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	path := filepath.Join(dir, "f.bin.part") // it has the size
	for _, overwrite := range []bool{false, true} {
		d := &download{cfg: Config{Overwrite: overwrite}}
		if _, err := d.existing(ctx, path, part.Manifest()); (err == nil) != overwrite {
			t.Errorf("overwrite %t: %v", overwrite, err)
		}
	}
}

// TestWindUpLosesNothing ends a download while many goroutines still have something to
// tell, and the queue is short; some of it of connections that have been dropped.
func TestWindUpLosesNothing(t *testing.T) {
	part := newPart(t, t.TempDir(), make([]byte, 1<<20))
	defer part.Discard()
	d := &download{events: make(chan event, 1), keepers: newKeepers(), content: &content{part: part, store: newStore(part, nil)}}
	for i := range part.Manifest().Layout().Count() {
		c := &conn{closed: i%2 == 0}
		c.store.Store(d.content.store)
		d.tasks.Go(func() { d.emit(landed{c: c, run: segment.Run{First: i, Count: 1}}) })
	}
	near, far := net.Pipe()
	d.tasks.Go(func() { d.emit(dialed{nc: near}) })
	d.windUp()
	if n := 1<<20 - part.HaveBytes(); n > 0 {
		t.Errorf("%d bytes were lost", n)
	}
	if _, err := far.Write([]byte{1}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a connection that came late: %v, want it closed", err)
	}
}
