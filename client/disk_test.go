package client_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"braid/client"
	"braid/segment"
)

// TestDiskFull has no room after some segments, and room again for the second run.
func TestDiskFull(t *testing.T) {
	for _, room := range []int32{0, 1, 50, 200} {
		inWorldAlone(t, func(w *world) {
			data := content(size, 1)
			w.three(data)
			var asked atomic.Int32
			var written atomic.Int64 // bytes
			w.disk = func(p *segment.Part) func(segment.Run, []byte) error {
				return func(run segment.Run, data []byte) error {
					if asked.Add(int32(run.Count)) > room {
						return &segment.DiskError{Op: "write", Path: p.Path(), Err: syscall.ENOSPC}
					}
					written.Add(int64(len(data)))
					return p.Write(run, data)
				}
			}
			r := w.download(3).disk()
			if !errors.Is(r.err, syscall.ENOSPC) {
				t.Errorf("%v, want no space", r.err)
			}
			if kept := strings.Contains(r.err.Error(), "what has verified is kept in "+filepath.Join(w.out(), "f.bin.part")); kept != (written.Load() > 0) {
				t.Errorf("%d bytes written: %v", written.Load(), r.err)
			}
			w.disk = nil
			again := w.download(3, resume).complete("f.bin", data)
			if got := again.result().Resumed; got != written.Load() {
				t.Errorf("resumed %d bytes of %d written", got, written.Load())
			}
		})
	}
}

// TestOutputVanishes removes the folder under the download, or only the part file. That is
// found out soon, and nothing is left that -r could not use.
func TestOutputVanishes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows removes no file that is open, nor its folder")
	}
	for _, path := range []string{"", "f.bin.part"} {
		t.Run(path, func(t *testing.T) {
			inWorld(t, func(w *world) {
				data := content(size, 1)
				w.three(data)
				w.at(2*time.Second, func() {
					if err := os.RemoveAll(filepath.Join(w.out(), path)); err != nil {
						t.Error(err)
					}
				})
				r := w.download(3).disk(filepath.Join(w.out(), "f.bin.part"), "it was removed")
				if strings.Contains(r.err.Error(), "kept") {
					t.Errorf("%v: and nothing is kept", r.err)
				}
				if r.took > 3*time.Second {
					t.Errorf("found out after %v", r.took)
				}
				r.nothingPartial()
				w.download(3, resume).complete("f.bin", data)
			})
		})
	}
}

// TestStateVanishes removes the state file under the download, which costs nothing.
func TestStateVanishes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows removes no file that is open")
	}
	inWorld(t, func(w *world) {
		data := content(size, 1)
		w.three(data)
		state := filepath.Join(w.out(), "f.bin.part.state")
		w.at(2*time.Second, func() {
			if err := os.Remove(state); err != nil {
				t.Error(err)
			}
		})
		w.interrupt(3, 3*time.Second)
		w.at(w.now()+time.Second, func() { os.Remove(state) })
		if n := w.download(3, resume).complete("f.bin", data).result().Resumed; n < 1600*kB {
			t.Errorf("resumed %d", n)
		}
	})
}

// TestAnotherClientGetsIn has the lock removed with the state file, and another client replace
// the part file: that one's is not taken for finished, and stays.
func TestAnotherClientGetsIn(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows removes no file that is open")
	}
	inWorld(t, func(w *world) {
		data := content(size, 1)
		w.three(data)
		m, err := segment.Hash(w.ctx, bytes.NewReader(data), size, nil)
		if err != nil {
			t.Fatal(err)
		}
		others := make(chan *segment.Part, 1)
		w.at(2050*time.Millisecond, func() { // not in the very moment of a look
			os.Remove(filepath.Join(w.out(), "f.bin.part.state"))
			other, err := segment.Create(w.out(), "f.bin", m)
			if err != nil {
				t.Error(err)
			}
			others <- other
		})
		r := w.download(3).disk(filepath.Join(w.out(), "f.bin.part"), "it was replaced")
		if strings.Contains(r.err.Error(), "kept") || r.took > 3*time.Second {
			t.Errorf("after %v: %v", r.took, r.err)
		}
		other := <-others
		if err := other.Present(); err != nil {
			t.Errorf("the other client: %v", err)
		}
		other.Discard()
	})
}

// TestOwnerStandsStill has the client's own loop stand still for a second now and then, as it
// does with a disk that is slow to take the state. No server is taken for silent because of
// that; at the very end one may be, as what a cancelled request still brings is an estimate.
func TestOwnerStandsStill(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		w.three(data)
		env := w.env()
		var stderr lockedBuffer
		env.Stdout, env.Stderr = &slowOutput{}, &stderr
		r := &run{w: w, cfg: client.Config{
			Interval: 1500 * time.Millisecond, Output: w.out(), Wait: 30 * time.Second, Report: "text", Progress: "never",
			Streams: 1, Addresses: []string{"h", "h", "h"}, Ports: []int{9001, 9002, 9003},
		}}
		r.err = client.Run(w.ctx, r.cfg, env)
		r.complete("f.bin", data)
		if n := strings.Count(stderr.String(), "stalled"); n > 1 {
			t.Errorf("%d times taken for stalled:\n%s", n, stderr.String())
		}
	})
}

// slowOutput takes a second for what is written.
type slowOutput struct{}

func (slowOutput) Write(p []byte) (int, error) {
	time.Sleep(time.Second)
	return len(p), nil
}

// TestReadOnlyOutput has a folder that takes no files, be it from root.
func TestReadOnlyOutput(t *testing.T) {
	var folders []string
	if os.Geteuid() != 0 && runtime.GOOS != "windows" {
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o555); err != nil {
			t.Fatal(err)
		}
		folders = append(folders, dir)
	}
	if runtime.GOOS == "linux" {
		folders = append(folders, "/proc/self", "/proc/self/deeper")
	}
	if len(folders) == 0 {
		t.Skip("this user can write into every folder of this system")
	}
	for _, dir := range folders {
		inWorldAlone(t, func(w *world) {
			w.three(content(1*MB, 1))
			r := w.download(3, func(c *client.Config) { c.Output = dir }).disk(dir)
			if r.took > 2*time.Second || strings.Contains(r.err.Error(), "kept") {
				t.Errorf("after %v: %v", r.took, r.err)
			}
		})
	}
}

// slowDisk writes so many bytes a second, one segment after the other, and
// stands still from one time to another.
func (w *world) slowDisk(speed float64, from, to time.Duration) {
	turn := make(chan struct{}, 1) // a mutex would stop the time
	w.disk = func(p *segment.Part) func(segment.Run, []byte) error {
		return func(run segment.Run, data []byte) error {
			turn <- struct{}{}
			defer func() { <-turn }()
			if now := w.now(); from <= now && now < to {
				time.Sleep(to - now)
			}
			time.Sleep(time.Duration(float64(len(data)) / speed * 1e9))
			return p.Write(run, data)
		}
	}
}

// TestSlowDisk has a disk a tenth as fast as the network: that slows the network,
// fills no memory, and is nobody's fault.
func TestSlowDisk(t *testing.T) {
	inWorldAlone(t, func(w *world) {
		data := content(16*MB, 1)
		for k := range 3 {
			w.serve(k+1, w.file("f.bin", data), 2*MB, 20*time.Millisecond)
		}
		w.slowDisk(600*kB, 0, 0)
		grown := w.growth()
		r := w.download(3).complete("f.bin", data).within(1.1, len(data), 600*kB).wasted(1*MB).told("stalled", 0)
		if r.took < 20*time.Second {
			t.Errorf("took %v: the disk was not slow", r.took)
		}
		// Each connection holds a segment, and the network what is in its windows.
		if n := grown(); n > 8*MB {
			t.Errorf("%d bytes of memory on the way", n)
		}
	})
}

// TestDiskStandsStill costs the time for which it does, and little else.
func TestDiskStandsStill(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		w.three(data)
		w.slowDisk(100*MB, 2*time.Second, 12*time.Second)
		r := w.download(3).complete("f.bin", data).wasted(1 * MB)
		if limit := 10 + float64(size)/(600*kB); r.took.Seconds() > 1.15*limit {
			t.Errorf("took %v, the limit is %.2f s\n%s", r.took, limit, r.stderr.String())
		}
	})
}

// growth looks at the memory every two seconds, and tells by how many bytes it was more
// than at first.
func (w *world) growth() func() int64 {
	var most atomic.Int64
	before := int64(heap())
	w.tasks.Go(func() {
		for {
			select {
			case <-time.After(2 * time.Second):
				most.Store(max(most.Load(), int64(heap())-before))
			case <-w.ctx.Done():
				return
			}
		}
	})
	return most.Load
}

// heap is how much memory is in use, in bytes.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
