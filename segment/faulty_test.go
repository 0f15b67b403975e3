package segment

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// sector is what a disk writes whole or not at all, in bytes; page what it allocates.
const (
	sector = 512
	page   = 4096
)

// faultyDisk is a real folder, for what a program sees, together with a model of what
// is on the platters. An fsync makes a file's content last, an fsync of the folder the
// names in it; at a power cut, of all else any part may have come through: of content
// and sizes any sectors, of names the first few changes, as a journal has them.
type faultyDisk struct {
	dir string

	mu      sync.Mutex
	rng     *rand.Rand
	calls   int
	fault   func(call int, op string) error // what meets the call; nil: nothing
	deaf    bool                            // forget does nothing
	lost    bool                            // an fsync of content has failed
	room    int                             // pages that can still be had
	names   map[string]*inode
	durable map[string]*inode
	pending []func(names map[string]*inode)
}

// inode is the content of a file.
type inode struct {
	durable []byte
	pending []change // since the last fsync
	pages   map[int64]bool
}

// change is a write, or with nil data a Truncate to off.
type change struct {
	off  int64
	data []byte
}

// newFaultyDisk takes what is in dir as written long ago.
func newFaultyDisk(t *testing.T, dir string, seed uint64) *faultyDisk {
	t.Helper()
	d := &faultyDisk{dir: dir, rng: rand.New(rand.NewPCG(seed, 1)), room: 1 << 30, durable: map[string]*inode{}}
	for _, name := range files(t, dir) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		d.durable[name] = &inode{durable: b, pages: map[int64]bool{}}
	}
	d.names = maps.Clone(d.durable)
	return d
}

// meet counts a call and returns its fault. The lock is held.
func (d *faultyDisk) meet(op, path string) error {
	d.calls++
	if d.fault == nil {
		return nil
	}
	if err := d.fault(d.calls, op); err != nil {
		return &fs.PathError{Op: op, Path: path, Err: err}
	}
	return nil
}

// change changes names at once, and on the platters some time later.
func (d *faultyDisk) change(do func(names map[string]*inode)) {
	do(d.names)
	d.pending = append(d.pending, do)
}

func (d *faultyDisk) open(path string, flag int) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.meet("open", path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, flag, 0o666)
	if err != nil {
		return nil, err
	}
	name := filepath.Base(path)
	if d.names[name] == nil {
		made := &inode{pages: map[int64]bool{}}
		d.change(func(names map[string]*inode) { names[name] = made })
	}
	return &faultyFile{File: f, disk: d, node: d.names[name]}, nil
}

func (d *faultyDisk) rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.meet("rename", from); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	from, to = filepath.Base(from), filepath.Base(to)
	d.change(func(names map[string]*inode) {
		names[to] = names[from]
		delete(names, from)
	})
	return nil
}

func (d *faultyDisk) remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.meet("remove", path); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	d.change(func(names map[string]*inode) { delete(names, filepath.Base(path)) })
	return nil
}

func (d *faultyDisk) syncDir(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.meet("sync", dir); err != nil {
		return err
	}
	d.durable, d.pending = maps.Clone(d.names), nil
	return nil
}

// writeBack makes nothing last: what comes through at a power cut is chance as it is.
func (d *faultyDisk) writeBack(file, int64, int64) error { return nil }

// forget has what is read next be what would be read after a power cut that loses nothing dirty.
func (d *faultyDisk) forget(f file) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.deaf {
		return nil
	}
	in := f.(*faultyFile)
	info, err := in.Stat()
	if err != nil {
		return err
	}
	b := bytes.Clone(in.node.durable)
	for _, c := range in.node.pending {
		if c.data != nil {
			b = overwritten(b, c.off, c.data)
		}
	}
	_, err = in.File.WriteAt(resized(b, info.Size()), 0)
	return err
}

// powerCut returns a folder with what is found when the power is back.
func (d *faultyDisk) powerCut(t *testing.T) string {
	t.Helper()
	names := maps.Clone(d.durable)
	for _, do := range d.pending[:d.rng.IntN(len(d.pending)+1)] {
		do(names)
	}
	dir := t.TempDir()
	for name, node := range names {
		writeFile(t, filepath.Join(dir, name), node.found(d.rng))
	}
	return dir
}

// found is the content after a power cut.
func (n *inode) found(rng *rand.Rand) []byte {
	b := bytes.Clone(n.durable)
	through := []float64{0, 0.5, 0.95, 1}[rng.IntN(4)]
	for _, c := range n.pending {
		if c.data == nil {
			if rng.Float64() < through {
				b = resized(b, c.off)
			}
			continue
		}
		for at := int64(0); at < int64(len(c.data)); {
			end := min(at+sector-(c.off+at)%sector, int64(len(c.data)))
			if rng.Float64() < through {
				b = overwritten(b, c.off+at, c.data[at:end])
			}
			at = end
		}
	}
	return b
}

func resized(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}

func overwritten(b []byte, off int64, data []byte) []byte {
	if end := off + int64(len(data)); end > int64(len(b)) {
		b = resized(b, end)
	}
	copy(b[off:], data)
	return b
}

// faultyFile is an open file of a faultyDisk.
type faultyFile struct {
	*os.File
	disk *faultyDisk
	node *inode
}

func (f *faultyFile) ReadAt(p []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.disk.meet("read", f.Name()); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

// WriteAt writes a part of p if it fails or if there is no room for all of it.
func (f *faultyFile) WriteAt(p []byte, off int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	err := f.disk.meet("write", f.Name())
	n := len(p)
	if err != nil {
		n = f.disk.rng.IntN(len(p) + 1)
	}
	if fit := f.allocate(off, n); fit < n {
		n, err = fit, &fs.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
	}
	if n > 0 {
		if _, err := f.File.WriteAt(p[:n], off); err != nil {
			return 0, err
		}
		f.node.pending = append(f.node.pending, change{off, bytes.Clone(p[:n])})
	}
	return n, err
}

// allocate takes pages for n bytes and returns for how many there was room.
func (f *faultyFile) allocate(off int64, n int) int {
	for at := off / page; at*page < off+int64(n); at++ {
		switch {
		case f.node.pages[at]:
		case f.disk.room == 0:
			return int(max(at*page-off, 0))
		default:
			f.disk.room--
			f.node.pages[at] = true
		}
	}
	return n
}

func (f *faultyFile) Truncate(size int64) error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.disk.meet("truncate", f.Name()); err != nil {
		return err
	}
	f.node.pending = append(f.node.pending, change{off: size})
	return f.File.Truncate(size)
}

// Sync takes what it has failed to write for written, as Linux does.
func (f *faultyFile) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	err := f.disk.meet("sync", f.Name())
	if errors.Is(err, errDead) {
		return err
	}
	for _, c := range f.node.pending {
		switch {
		case err != nil:
			f.disk.lost = true
		case c.data == nil:
			f.node.durable = resized(f.node.durable, c.off)
		default:
			f.node.durable = overwritten(f.node.durable, c.off, c.data)
		}
	}
	f.node.pending = nil
	return err
}

func (f *faultyFile) Close() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return errors.Join(f.disk.meet("close", f.Name()), f.File.Close())
}

// errDead meets all calls of a program that has been killed, or has lost its power.
var errDead = errors.New("dead")

// dieAt is the fault of a program that does not live to finish a call.
func dieAt(last int) func(int, string) error {
	return func(call int, _ string) error {
		if call >= last {
			return errDead
		}
		return nil
	}
}

// failAt is the fault of one call.
func failAt(at int, err error) func(int, string) error {
	return func(call int, _ string) error {
		if call == at {
			return err
		}
		return nil
	}
}
