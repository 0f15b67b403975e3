package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// syncFrom is the size, in bytes, from which a download is worth an fsync of its
// state file at the start, so that it can be resumed even after a power cut.
const syncFrom = 16 << 20

// Part is a download in progress: <dir>/<name>.part, written in place, and beside
// it <name>.part.state, locked for this client alone.
//
// Write may be called from any number of goroutines at once, and beside it WriteBack and
// ReadBack from one each. Everything else belongs to one goroutine, the owner, which marks a segment
// only when its Write has returned or ReadBack has found it, and calls Finish, Close or Discard
// when none of them is running any more.
type Part struct {
	// Overwrite lets Finish replace whatever file is under the final name, Replaces only
	// that one, as long as it has not changed since.
	Overwrite bool
	Replaces  os.FileInfo

	disk      disk
	dir, name string
	manifest  *Manifest
	file      file
	writing   sync.Mutex // see Write
	unflushed unflushed
	state     *stateFile // nil after Finish, Close or Discard

	have      bitmap
	missing   int
	haveBytes int64
	claimed   bitmap // what Resume has found in the state file, and has not read back; nil: nothing
	hint      bitmap // what the state file is to hold: what is had or claimed
	dirty     bool   // hint holds what the state file does not
	bare      bool   // and that has not even the manifest
	undecided bool   // nor is to have it, before Decide
}

// Create starts a download from nothing. What an earlier run has left under these
// names is dropped, symbolic links themselves and not what they lead to; dir is made
// if it is missing. The name must be a SafeName. Errors are *DiskError: ErrLocked if
// another client is at it, ErrNoSpace if the file does not fit.
func Create(dir, name string, m *Manifest) (*Part, error) {
	return createOn(system{}, dir, name, m, false)
}

// CreateUndecided is Create for a content that may turn out not to be wanted. Until Decide the
// state file is empty, which Resume and PeekState take for no download, so that not even a kill
// makes one of it.
func CreateUndecided(dir, name string, m *Manifest) (*Part, error) {
	return createOn(system{}, dir, name, m, true)
}

func createOn(on disk, dir, name string, m *Manifest, undecided bool) (*Part, error) {
	if err := makeDir(on, dir); err != nil {
		return nil, err
	}
	state, err := openState(on, filepath.Join(dir, name+stateSuffix), true)
	if err != nil {
		return nil, err
	}
	p := newPart(on, dir, name, state)
	p.begin(m)
	p.dirty, p.bare, p.undecided = true, true, undecided
	if err := p.create(); err != nil {
		p.Discard() // the first error is the one to tell
		return nil, err
	}
	return p, nil
}

func newPart(on disk, dir, name string, state *stateFile) *Part {
	return &Part{disk: on, dir: dir, name: name, state: state, unflushed: unflushed{due: make(chan struct{}, 1)}}
}

// begin sets out from nothing had.
func (p *Part) begin(m *Manifest) {
	p.manifest, p.have, p.hint, p.missing = m, newBitmap(m.layout), newBitmap(m.layout), m.layout.Count()
}

// create makes both files, the state being locked and the old content of no use.
func (p *Part) create() error {
	if err := p.state.Truncate(0); err != nil {
		return diskError("write", p.state.path, err)
	}
	path := p.Path()
	if err := p.disk.remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return diskError("remove", path, err)
	}
	f, err := p.disk.open(path, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return diskError("create", path, err)
	}
	p.file = f
	if err := p.reserve(); err != nil {
		return err
	}
	return p.Checkpoint()
}

// reserve sees to it that the file fits on the disk, and sets its size without
// writing anything.
func (p *Part) reserve() error {
	size := p.manifest.layout.Size
	free, known := freeSpace(p.dir)
	if need := size - allocated(p.file); known && need > free {
		err := fmt.Errorf("%w: %d bytes needed, %d free", ErrNoSpace, need, free)
		return diskError("create", p.Path(), err)
	}
	makeSparse(p.file)
	return diskError("resize", p.Path(), p.file.Truncate(size))
}

// Leftover reports whether there is a part or a state file of an earlier run (or of
// one that still goes on) for this name.
func Leftover(dir, name string) bool {
	for _, suffix := range []string{partSuffix, stateSuffix} {
		if _, err := os.Lstat(filepath.Join(dir, name+suffix)); err == nil {
			return true
		}
	}
	return false
}

// Drop removes what an earlier run has left for this name: what is partial, or the
// state file beside a finished file. It is no error if there is nothing. Errors are
// *DiskError: ErrLocked if another client is at it.
func Drop(dir, name string) error {
	if !Leftover(dir, name) {
		return nil
	}
	state, err := openState(system{}, filepath.Join(dir, name+stateSuffix), true)
	if err != nil {
		return err
	}
	p := newPart(system{}, dir, name, state)
	return p.Discard()
}

// Path returns where the part file is.
func (p *Part) Path() string { return filepath.Join(p.dir, p.name+partSuffix) }

// Manifest returns the hash tree of the file. Any goroutine may call it.
func (p *Part) Manifest() *Manifest { return p.manifest }

// Have reports whether segment i is had.
func (p *Part) Have(i int) bool { return p.have.has(i) }

// Claimed reports whether segment i was had in an earlier run, as far as its state file says:
// ReadBack tells whether that is so.
func (p *Part) Claimed(i int) bool { return p.claimed != nil && p.claimed.has(i) }

// HaveBytes returns how many bytes of the file are had.
func (p *Part) HaveBytes() int64 { return p.haveBytes }

// Write writes the segments of run, which the caller has verified, to their place. Any
// goroutine may call it, also for the same segments. The error is a *DiskError, unless there is no
// such run.
func (p *Part) Write(run Run, data []byte) error {
	l := p.manifest.layout
	if run.First < 0 || run.Count < 1 || run.Count > l.Count()-run.First || int64(len(data)) != l.RunBytes(run) {
		return fmt.Errorf("segments %d+%d of %d bytes do not exist in %s", run.First, run.Count, len(data), p.name)
	}
	// Systems let one writer at a time into a file; the others would burn their
	// cores on the inode's lock.
	p.writing.Lock()
	defer p.writing.Unlock()
	if _, err := p.file.WriteAt(data, l.Offset(run.First)); err != nil {
		return diskError("write", p.Path(), err)
	}
	for i := run.First; i < run.End(); i++ {
		p.unflushed.add(i, l.Len(i))
	}
	return nil
}

// Mark notes that the segments of run are had: verified, and Write has returned. The state
// file learns of it at once, by one small write, so that even a kill loses no segment
// that was marked. If that fails, the next Checkpoint tries again and tells.
func (p *Part) Mark(run Run) {
	news := false
	for i := run.First; i < run.End(); i++ {
		news = p.mark(i) || news
	}
	if !news || p.dirty {
		return
	}
	from, to := run.First/8, (run.End()-1)/8
	if _, err := p.state.WriteAt(p.hint[from:to+1], bitmapOffset(p.manifest)+int64(from)); err != nil {
		p.dirty = true
	}
}

// mark is Mark of one segment without the state file; it reports whether that does not know it.
func (p *Part) mark(i int) (news bool) {
	if p.have.has(i) {
		return false
	}
	p.have.set(i)
	p.missing--
	p.haveBytes += int64(p.manifest.layout.Len(i))
	news = !p.hint.has(i)
	p.hint.set(i)
	return news
}

// Decide says that the content is wanted: from here on there is something to resume. The error is
// a *DiskError.
func (p *Part) Decide() error {
	if !p.undecided {
		return nil
	}
	p.undecided = false
	return p.Checkpoint()
}

// Checkpoint saves which segments are had or claimed, as a hint for Resume, where Mark could
// not. It is one small write, without an fsync, or nothing if nothing is new.
func (p *Part) Checkpoint() error {
	if !p.dirty || p.undecided || p.state == nil {
		return nil
	}
	if p.bare {
		return p.writeState()
	}
	if _, err := p.state.WriteAt(p.hint, bitmapOffset(p.manifest)); err != nil {
		return diskError("write", p.state.path, err)
	}
	p.dirty = false
	return nil
}

// writeState writes the whole state file.
func (p *Part) writeState() error {
	if err := writeState(p.state.file, p.manifest, p.hint); err != nil {
		return diskError("write", p.state.path, err)
	}
	p.bare, p.dirty = false, false
	if p.manifest.layout.Size < syncFrom {
		return nil
	}
	if err := p.state.Sync(); err != nil {
		return diskError("sync", p.state.path, err)
	}
	return diskError("sync", p.dir, p.disk.syncDir(p.dir))
}

// Close saves what is had and lets go of the files, which stay for Resume. After
// Finish, Close or Discard it does nothing.
func (p *Part) Close() error {
	if p.state == nil {
		return nil
	}
	err := errors.Join(p.Checkpoint(), p.closeFile(), diskError("close", p.state.path, p.state.release()))
	p.state = nil
	return err
}

// closeFile closes the part file if it is open.
func (p *Part) closeFile() error {
	if p.file == nil {
		return nil
	}
	err := p.file.Close()
	p.file = nil
	if err != nil && p.manifest != nil { // some network file systems write no sooner
		p.doubt()
	}
	return diskError("close", p.Path(), err)
}

// Discard removes both files, as far as they are still ours. After Finish, Close or Discard it
// does nothing.
func (p *Part) Discard() error {
	if p.state == nil {
		return nil
	}
	ours := p.state.same() // the lock is on what the names stand for
	if p.file != nil {
		ours = p.inPlace() == nil
	}
	err := p.closeFile()
	if ours {
		err = errors.Join(err, p.removePart())
	}
	err = errors.Join(err, p.state.remove())
	p.state = nil
	return err
}

func (p *Part) removePart() error {
	path := p.Path()
	err := retry(func() error { return p.disk.remove(path) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return diskError("remove", path, err)
}
