package segment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Finish makes the finished file of the part, all segments being had, and returns
// its path: fsync, rename, fsync of the folder, and only then the state file goes. A
// crash at any point leaves either both files or the finished one, perhaps with the
// state file beside it, which Resume and Drop clear away. The error is a *DiskError,
// ErrExists if there is a file of that name that may not be replaced; another one only for a part
// that lacks segments or is closed. After an error only Close and Discard make sense.
func (p *Part) Finish() (string, error) {
	if p.state == nil {
		return "", fmt.Errorf("%s is closed already", p.name)
	}
	if p.missing > 0 {
		return "", fmt.Errorf("%s lacks %d segments", p.name, p.missing)
	}
	path := filepath.Join(p.dir, p.name)
	if err := p.Checkpoint(); err != nil {
		return "", err
	}
	if err := p.file.Sync(); err != nil {
		p.doubt()
		return "", diskError("sync", p.Path(), err)
	}
	if err := p.mayBecome(path); err != nil { // not sooner: the fsync may take long
		return "", err
	}
	if err := p.Present(); err != nil { // only what has verified gets the name
		return "", err
	}
	if err := p.closeFile(); err != nil { // Windows renames no open file
		return "", err
	}
	if err := retry(func() error { return p.disk.rename(p.Path(), path) }); err != nil {
		return "", diskError("rename to", path, err)
	}
	if err := p.disk.syncDir(p.dir); err != nil {
		return path, diskError("sync", p.dir, err)
	}
	err := p.state.remove()
	p.state = nil
	return path, err
}

// mayBecome refuses to replace a file that the caller has not given up.
func (p *Part) mayBecome(path string) error {
	if p.Overwrite {
		return nil
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && (p.Replaces == nil || !unchanged(info, p.Replaces)):
		err = ErrExists
	}
	return diskError("rename to", path, err)
}

// CheckExisting reports whether there is something at path already, and whether it is a file with
// the content of m: then same is what Lstat told of it beforehand, else nil. It compares the size
// first, then hashes on all cores, no further than the first difference. Errors are *DiskError or
// those of ctx.
func CheckExisting(ctx context.Context, path string, m *Manifest) (same os.FileInfo, exists bool, err error) {
	named, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, diskError("open", path, err)
	}
	if holds, err := holdsContent(ctx, path, m); !holds || err != nil {
		return nil, true, err
	}
	return named, true, nil
}

// holdsContent reports whether the file that path leads to has the content of m.
func holdsContent(ctx context.Context, path string, m *Manifest) (bool, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) { // a symbolic link to nowhere
		return false, nil
	}
	if err != nil {
		return false, diskError("open", path, err)
	}
	if !info.Mode().IsRegular() || info.Size() != m.layout.Size {
		return false, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return false, diskError("open", path, err)
	}
	defer f.Close()

	errDiffers := errors.New("other content")
	err = scan(ctx, f, m.layout, nil, func(i int, v value, err error) error {
		if err != nil {
			return err
		}
		if !m.proves(i, v) {
			return errDiffers
		}
		return nil
	})
	if err == errDiffers || errors.Is(err, io.ErrUnexpectedEOF) {
		return false, nil
	}
	return err == nil, diskError("read", path, err)
}

const (
	retryFor   = 2 * time.Second
	retryPause = 50 * time.Millisecond
)

// retry repeats what fails because another program, an indexer or a virus scanner
// say, has the file open at the moment. Only Windows minds that.
func retry(do func() error) error {
	for waited := time.Duration(0); ; waited += retryPause {
		err := do()
		if err == nil || !inUse(err) || waited >= retryFor {
			return err
		}
		time.Sleep(retryPause)
	}
}
