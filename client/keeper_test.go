package client_test

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"braid/segment"
)

// TestGivenUpOnAHungDisk has the vote go against a content while the disk hangs in the
// middle of writing it. Reports go on, and so does the download when the disk does.
func TestGivenUpOnAHungDisk(t *testing.T) {
	inWorld(t, func(w *world) {
		good, other := content(1*MB, 1), content(1*MB, 2)
		w.serve(1, w.file("f.bin", other), 2000*kB, 1*time.Millisecond)
		w.serve(2, w.file("f.bin", good), 500*kB, 200*time.Millisecond)
		w.serve(3, w.file("f.bin", good), 500*kB, 220*time.Millisecond)
		w.slowDisk(100*MB, 50*time.Millisecond, 10*time.Second)
		r := w.download(3).complete("f.bin", good).told("Server 1 (h:9001): holds another file", 1).wasted(1 * MB)
		if r.took < 10*time.Second || r.took > 13*time.Second {
			t.Errorf("took %v", r.took)
		}
		during := 0
		for _, b := range r.blocks() {
			if b.Elapsed > 1 && b.Elapsed < 10 {
				during++
			}
		}
		if during < 15 {
			t.Errorf("%d reports while the disk was hanging, want one every half second", during)
		}
	})
}

// TestConnectionEndsBeforeItsSegments cuts all connections while segments of theirs are being
// written, and the disk takes its time: what has come whole is not fetched again. Where there are several servers
// the last few segments may be, by another one.
func TestConnectionEndsBeforeItsSegments(t *testing.T) {
	data := content(1*MB, 1)
	for servers, twice := range map[int]int{1: 0, 3: 3} {
		t.Run(fmt.Sprint(servers), func(t *testing.T) {
			inWorld(t, func(w *world) {
				var hosts []*memHost
				for k := range servers {
					hosts = append(hosts, w.serve(k+1, w.file("f.bin", data), 200*kB, 20*time.Millisecond))
				}
				var writes, written, cut atomic.Int32
				w.disk = func(p *segment.Part) func(segment.Run, []byte) error {
					return func(run segment.Run, data []byte) error {
						written.Add(int32(run.Count))
						if writes.Add(1)%12 == 0 {
							cut.Add(1)
							for _, h := range hosts {
								h.reset()
							}
							time.Sleep(3 * time.Second) // enough to fetch it again
						}
						return p.Write(run, data)
					}
				}
				w.download(servers).complete("f.bin", data).mentioned("rejoined")
				if n, count := int(written.Load()), segment.LayoutOf(1*MB).Count(); n > count+twice || cut.Load() < 5 {
					t.Errorf("%d segments written of %d in the file, cut %d times", n, count, cut.Load())
				}
			})
		})
	}
}

// TestInterruptLosesNothingWritten interrupts a client at many moments, with dozens of
// segments under the hands of its keepers: what is on the disk then is what -r finds.
func TestInterruptLosesNothingWritten(t *testing.T) {
	for try := range 6 {
		inWorldAlone(t, func(w *world) {
			const servers = 8
			data := content(size, 1)
			for k := range servers {
				w.serve(k+1, w.file("f.bin", data), 125*kB, 20*time.Millisecond)
			}
			written := w.countingDisk(func(run segment.Run) error {
				time.Sleep(time.Duration(run.First%7) * 10 * time.Millisecond)
				return nil
			})
			w.interrupt(servers, 1500*time.Millisecond+time.Duration(try)*337*time.Millisecond)
			w.resumesWith(written.Load(), servers, data)
		})
	}
}

// countingDisk counts the bytes that were written. It asks first, which may take its time, before
// each write; an error is the disk's.
func (w *world) countingDisk(first func(run segment.Run) error) *atomic.Int64 {
	var written atomic.Int64
	w.disk = func(p *segment.Part) func(segment.Run, []byte) error {
		return func(run segment.Run, data []byte) error {
			if err := first(run); err != nil {
				return err
			}
			if err := p.Write(run, data); err != nil {
				return err
			}
			written.Add(int64(len(data)))
			return nil
		}
	}
	return &written
}

// resumesWith goes on with a download, which must find exactly so many bytes.
func (w *world) resumesWith(written int64, servers int, data []byte) {
	w.t.Helper()
	r := w.download(servers, resume).complete("f.bin", data)
	if got := r.result().Resumed; got != written || got == 0 {
		w.t.Errorf("%d bytes found, %d were written", got, written)
	}
}

// TestDiskFailsInManyHands has every write fail at once: that is told in one line, and what
// was written before is kept.
func TestDiskFailsInManyHands(t *testing.T) {
	inWorld(t, func(w *world) {
		const servers = 8
		data := content(size, 1)
		for k := range servers {
			w.serve(k+1, w.file("f.bin", data), 125*kB, 20*time.Millisecond)
		}
		written := w.countingDisk(func(segment.Run) error {
			time.Sleep(50 * time.Millisecond)
			if w.now() > 2*time.Second {
				return &segment.DiskError{Op: "write", Path: "f.bin", Err: syscall.ENOSPC}
			}
			return nil
		})
		r := w.download(servers).disk("no space left on device", "what has verified is kept").told("no space left", 0)
		if r.took > 2200*time.Millisecond {
			t.Errorf("took %v", r.took)
		}
		w.disk = nil
		w.resumesWith(written.Load(), servers, data)
	})
}

// TestLiesFasterThanTheyAreTold has a liar on a link without a limit, so that many of
// its segments are verified at once, beside the reader. Each connection counts as one lie, and
// the liar sends no more than what it was asked for at first.
func TestLiesFasterThanTheyAreTold(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(16*MB, 1)
		var sent atomic.Int64
		liar := actor{data: data, name: "f.bin", damage: func(_ int64, b []byte) {
			sent.Add(int64(len(b)))
			b[0] ^= 1
		}}
		h := w.script(1, 0, 0, liar.talk)
		w.serve(2, w.file("f.bin", data), 1000*kB, 20*time.Millisecond)
		w.download(2).complete("f.bin", data).within(1.1, len(data), 1000*kB).
			told("Server 1 (h:9001): sent corrupt data", 3).told("; it is not used any more", 1)
		if n := sent.Load(); h.dials != 3 || n > 3*2*MB {
			t.Errorf("%d connections to the liar, %d bytes sent by it", h.dials, n)
		}
	})
}
