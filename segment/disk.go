package segment

import (
	"errors"
	"io"
	"os"
	"runtime"
	"syscall"
)

// disk is what a download changes on the file system. Tests put one in its place that
// fails, fills up, tears writes and loses power.
type disk interface {
	open(path string, flag int) (file, error) // as os.OpenFile
	rename(from, to string) error
	remove(path string) error
	syncDir(dir string) error // makes what has happened to names in dir last
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
