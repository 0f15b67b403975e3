package segment

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// FindState returns the names of the downloads in progress in dir, in alphabetical
// order: those that have a state file. A folder that does not exist has none.
func FindState(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, diskError("read", dir, err)
	}
	var names []string
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), stateSuffix)
		if ok && name != "" && SafeName(name) == name && e.Type().IsRegular() {
			names = append(names, name)
		}
	}
	return names, nil
}

// Resume goes on with a download that an earlier run has left. What its state file says is had is
// Claimed, for ReadBack to verify; where doubt was noted, it is read back here, and had. The error is
// ErrNoState when there is nothing to go on with, and the caller starts from nothing; a state file
// without a part file, as a crash at the end of Finish leaves it, is removed then. Other errors are
// *DiskError: ErrLocked if another client is at it, ErrNotRegular if either file is a symbolic link
// or something else that is not an ordinary file; or those of ctx.
func Resume(ctx context.Context, dir, name string) (*Part, error) {
	return resumeOn(ctx, system{}, dir, name)
}

func resumeOn(ctx context.Context, on disk, dir, name string) (*Part, error) {
	return goOn(on, dir, name, false, func(p *Part) error { return p.resume(ctx) })
}

// Salvage goes on with a part file whose state file is missing or damaged: it reads all of it back,
// on all cores, keeps what verifies against m, and makes the state file anew.
// The error is ErrNoState when there is no part file; others are as Resume's.
func Salvage(ctx context.Context, dir, name string, m *Manifest) (*Part, error) {
	return goOn(system{}, dir, name, true, func(p *Part) error { return p.salvage(ctx, m) })
}

// goOn locks the state file, with create also one that is missing, and takes what there is.
func goOn(on disk, dir, name string, create bool, take func(*Part) error) (*Part, error) {
	state, err := openState(on, filepath.Join(dir, name+stateSuffix), create)
	if err != nil {
		return nil, err
	}
	p := newPart(on, dir, name, state)
	if err := take(p); err != nil {
		p.dirty = false
		p.Close() // the first error is the one to tell
		return nil, err
	}
	return p, nil
}

func (p *Part) salvage(ctx context.Context, m *Manifest) error {
	if err := p.openPart(); err != nil {
		return err
	}
	p.begin(m)
	if err := p.reserve(); err != nil {
		return err
	}
	if err := p.readAtOnce(ctx, nil); err != nil {
		return err
	}
	p.bare, p.dirty = true, true
	return p.Checkpoint()
}

func (p *Part) resume(ctx context.Context) error {
	if err := p.openPart(); err != nil {
		return err
	}
	m, claimed, err := readState(p.state.file)
	if err != nil {
		return err
	}
	p.begin(m)
	if err := p.reserve(); err != nil {
		return err
	}
	copy(p.hint, claimed)
	if p.doubtful() {
		return p.readAtOnce(ctx, claimed.has)
	}
	p.claimed = claimed
	return nil
}

// readAtOnce takes for had what of the segments in question (nil: all) verifies, and has the disk
// forget and write again what is in doubt.
func (p *Part) readAtOnce(ctx context.Context, inQuestion func(i int) bool) error {
	if p.doubtful() { // what reads well from memory need not be on the disk
		_ = p.disk.forget(p.file)
	}
	err := p.readBack(ctx, inQuestion, func(i int, verifies bool) {
		if verifies {
			p.mark(i)
		}
	})
	if err != nil {
		return err
	}
	return p.writeDoubtful(ctx)
}

// openPart opens the part file, if it is an ordinary one.
func (p *Part) openPart() error {
	path := p.Path()
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %s is missing", ErrNoState, path)
		// It may have been renamed by a Finish that could not make the name last.
		if synced := p.disk.syncDir(p.dir); synced != nil {
			return diskError("sync", p.dir, synced)
		}
		if removed := p.state.remove(); removed != nil {
			return removed
		}
		p.state = nil
		return err
	}
	if err != nil {
		return diskError("open", path, err)
	}
	if !info.Mode().IsRegular() {
		return diskError("open", path, ErrNotRegular)
	}
	if p.file, err = p.disk.open(path, os.O_RDWR); err != nil {
		return diskError("open", path, err)
	}
	return diskError("open", path, p.sameFile(info))
}

// ReadBack reads what is claimed, on all cores, and tells of each segment whether it verifies and so
// may be marked: from one goroutine at a time, and in about the order of the file. A segment that cannot
// be read, as where the disk has a bad sector, does not verify. The error is that of ctx.
func (p *Part) ReadBack(ctx context.Context, tell func(i int, verifies bool)) error {
	return p.readBack(ctx, p.Claimed, tell)
}

// readBack is ReadBack for the segments in question (nil: all).
func (p *Part) readBack(ctx context.Context, inQuestion func(i int) bool, tell func(i int, verifies bool)) error {
	var mu sync.Mutex
	return scan(ctx, p.file, p.manifest.layout, inQuestion, func(i int, v value, err error) error {
		verifies := err == nil && p.manifest.proves(i, v)
		mu.Lock()
		defer mu.Unlock()
		tell(i, verifies)
		return nil
	})
}
