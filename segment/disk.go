package segment

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// disk is what a download changes on the file system. Tests put one in its place that
// fails, fills up, tears writes and loses power.
type disk interface {
	open(path string, flag int) (file, error) // as os.OpenFile
	rename(from, to string) error
	remove(path string) error
	syncDir(dir string) error                // makes what has happened to names in dir last
	writeBack(f file, offset, n int64) error // begins to write to the platters; a hint
	forget(f file) error                     // has what is read next come from the platters; a hint
}

// file is an open file of a disk, with the methods of *os.File.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
	Stat() (os.FileInfo, error)
	Name() string
	Fd() uintptr
}

// system is the disk that the operating system offers.
type system struct{}

func (system) open(path string, flag int) (file, error) {
	f, err := os.OpenFile(path, flag, 0o666)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (system) rename(from, to string) error { return os.Rename(from, to) }

func (system) remove(path string) error { return os.Remove(path) }

// errNoFolder says that a file has the name that a folder is to have.
var errNoFolder = errors.New("there is a file of this name, want a folder")

// MakeDir makes a folder and those above it, if they are missing, so that they last: the name of
// a new folder stands in the one above. The error is a *DiskError.
func MakeDir(dir string) error { return makeDir(system{}, dir) }

func makeDir(on disk, dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	above := filepath.Dir(dir)
	if above != dir {
		if err := makeDir(on, above); err != nil {
			return err
		}
	}
	err := os.Mkdir(dir, 0o777)
	if info, statErr := os.Stat(dir); statErr == nil {
		err = nil // somebody else was faster
		if !info.IsDir() {
			err = errNoFolder
		}
	}
	if err != nil {
		return diskError("create", dir, err)
	}
	return diskError("sync", above, on.syncDir(above))
}

// syncDir does nothing on systems that cannot.
func (system) syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // has no such call
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil // a folder may be writable and yet not readable
	}
	defer d.Close()
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil // not on this file system
	}
	return err
}
