package segment

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// PeekState returns root and layout of the download in progress under name, without locking it or
// reading any of its data. The error is ErrNoState when there is none, its state file is torn or
// stands alone; a *DiskError, ErrNotRegular for one, when it cannot be read.
func PeekState(dir, name string) (Root, Layout, error) {
	if _, err := os.Lstat(filepath.Join(dir, name+partSuffix)); errors.Is(err, fs.ErrNotExist) {
		return Root{}, Layout{}, ErrNoState
	}
	path := filepath.Join(dir, name+stateSuffix)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Root{}, Layout{}, ErrNoState
	}
	if err != nil {
		return Root{}, Layout{}, diskError("open", path, err)
	}
	if !info.Mode().IsRegular() {
		return Root{}, Layout{}, diskError("open", path, ErrNotRegular)
	}
	f, err := os.Open(path)
	if err != nil {
		return Root{}, Layout{}, diskError("open", path, err)
	}
	defer f.Close()
	m, _, err := readState(f)
	if err != nil {
		return Root{}, Layout{}, err
	}
	return m.Root(), m.Layout(), nil
}
