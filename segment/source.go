package segment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Source is a virtual server's own copy of the file: where it is, what it holds,
// and what it looked like when it was hashed. It keeps no file open, and any number
// of goroutines may use it.
type Source struct {
	path     string
	manifest *Manifest
	hashed   os.FileInfo // from before the hashing
}

// OpenSource hashes the file at path on all cores. It refuses folders and anything
// else that is not an ordinary file, and returns ErrChanged if the file changes
// meanwhile. It calls progress, which may be nil, with the bytes done and the bytes
// in all, from one goroutine at a time. Failures of the disk are *DiskError.
func OpenSource(ctx context.Context, path string, progress func(done, total int64)) (*Source, error) {
	// Looking before opening: to open a named pipe would wait for its writer.
	info, err := os.Stat(path)
	if err != nil {
		return nil, diskError("open", path, err)
	}
	if err := regular(path, info); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, diskError("open", path, err)
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, diskError("open", path, err)
	}
	if err := regular(path, info); err != nil {
		return nil, err
	}

	var report func(int64)
	if progress != nil {
		report = func(done int64) { progress(done, info.Size()) }
	}
	m, err := Hash(ctx, f, info.Size(), report)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("%s: %w", path, ErrChanged)
	}
	if err != nil {
		return nil, diskError("read", path, err)
	}
	s := &Source{path: path, manifest: m, hashed: info}
	if err := s.Unchanged(f); err != nil {
		return nil, err
	}
	return s, nil
}

// regular refuses what cannot be served.
func regular(path string, info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return &DiskError{Op: "open", Path: path, Err: errors.New("it is a folder, not a file")}
	case !info.Mode().IsRegular():
		return &DiskError{Op: "open", Path: path, Err: ErrNotRegular}
	}
	return nil
}

// Again returns a second source of the same file, for another virtual server,
// without hashing it again. The error is ErrChanged if the file is not what it was.
func (s *Source) Again() (*Source, error) {
	if err := s.pathUnchanged(); err != nil {
		return nil, err
	}
	again := *s
	return &again, nil
}

// Name returns the base name of the file.
func (s *Source) Name() string { return filepath.Base(s.path) }

// Path returns the path that the source was opened with.
func (s *Source) Path() string { return s.path }

// Manifest returns the hash tree of the file.
func (s *Source) Manifest() *Manifest { return s.manifest }

// Open returns a handle of its own, with a file offset of its own, for one
// connection. The caller closes it, and asks Unchanged before relying on it. The error is
// ErrChanged when the path leads to something else by now: to open a named pipe would
// wait for its writer.
func (s *Source) Open() (*os.File, error) {
	if err := s.pathUnchanged(); err != nil {
		return nil, err
	}
	f, err := os.Open(s.path)
	if err != nil {
		return nil, diskError("open", s.path, err)
	}
	return f, nil
}

// Unchanged returns nil as long as both f, a handle from Open, and what the path
// leads to are the very file that was hashed, of the same size and modification
// time; else ErrChanged. It costs two system calls.
func (s *Source) Unchanged(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return diskError("stat", s.path, err)
	}
	if !s.same(info) {
		return fmt.Errorf("%s: %w", s.path, ErrChanged)
	}
	return s.pathUnchanged()
}

func (s *Source) pathUnchanged() error {
	info, err := os.Stat(s.path)
	if err != nil || !s.same(info) {
		return fmt.Errorf("%s: %w", s.path, ErrChanged)
	}
	return nil
}

func (s *Source) same(info os.FileInfo) bool { return unchanged(info, s.hashed) }

// unchanged reports whether two looks have found one file, of the same size and modification
// time.
func unchanged(a, b os.FileInfo) bool {
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}
