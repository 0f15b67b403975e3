package segment

import (
	"errors"
	"io/fs"
	"os"
)

// Present fails when the file under the part's name is not the one that is being written any
// more. Systems go on taking what is written to a file without a name, and it is lost with the
// last handle. A state file that has lost its name, and with it the lock, is made anew: without
// it another client could replace the part file, and after a kill there would be nothing to
// resume. The error is a *DiskError, ErrLocked if another client has been faster.
func (p *Part) Present() error {
	if err := p.inPlace(); err != nil || p.state.same() {
		return err
	}
	if err := p.lockAgain(); err != nil {
		return err
	}
	return p.inPlace() // from here on nobody replaces it
}

// inPlace fails when the file under the part's name is not ours.
func (p *Part) inPlace() error {
	named, err := os.Lstat(p.Path())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = errVanished
	case err == nil && p.file != nil:
		err = p.sameFile(named)
	}
	return diskError("write", p.Path(), err)
}

func (p *Part) sameFile(named os.FileInfo) error {
	open, err := p.file.Stat()
	if err == nil && !os.SameFile(named, open) {
		err = errReplaced
	}
	return err
}

// lockAgain makes the state file anew, and the lock with it.
func (p *Part) lockAgain() error {
	state, err := openState(p.disk, p.state.path, true)
	if err != nil {
		return err
	}
	p.state.release() // nothing of it is needed
	p.state = state
	p.bare, p.dirty = true, true
	return p.Checkpoint()
}
