package segment

import (
	"errors"
	"io/fs"
	"os"
	"runtime"

	"github.com/gofrs/flock"
)

// stateFile is the state file, open and locked for this client alone. The lock is
// on a handle of its own, so that no lock file is needed; on Windows it keeps other
// handles from the first byte, which is why the format leaves that alone.
type stateFile struct {
	file
	disk disk
	path string
	lock *flock.Flock
}

// lockAttempts bounds how often files may be swapped under our hands.
const lockAttempts = 10

// openState opens and locks the state file at path. With create it makes one that
// is missing and replaces what is not an ordinary file; without, those are
// ErrNoState and ErrNotRegular. ErrLocked means that another client has it.
func openState(on disk, path string, create bool) (*stateFile, error) {
	for range lockAttempts {
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && !create:
			return nil, ErrNoState
		case errors.Is(err, fs.ErrNotExist):
			if err := createEmpty(on, path); err != nil && !errors.Is(err, fs.ErrExist) {
				return nil, diskError("create", path, err)
			}
			continue
		case err != nil:
			return nil, diskError("open", path, err)
		case !info.Mode().IsRegular() && !create:
			return nil, diskError("open", path, ErrNotRegular)
		case !info.Mode().IsRegular():
			if err := on.remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, diskError("remove", path, err)
			}
			continue
		}
		s, err := lockState(on, path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errSwapped) {
			continue
		}
		return s, err
	}
	return nil, diskError("lock", path, ErrLocked)
}

func createEmpty(on disk, path string) error {
	f, err := on.open(path, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	return f.Close()
}

// errSwapped says that a path did not lead to the file that was locked: another
// client has just removed it, or it is a symbolic link.
var errSwapped = errors.New("the file was replaced while it was opened")

// lockState locks the file at path and opens it for reading and writing.
func lockState(on disk, path string) (*stateFile, error) {
	lock := flock.New(path, flock.SetFlag(os.O_RDWR))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, diskError("lock", path, err)
	}
	if !locked {
		return nil, diskError("lock", path, ErrLocked)
	}
	s := &stateFile{disk: on, path: path, lock: lock}
	if s.file, err = on.open(path, os.O_RDWR); err != nil {
		s.release()
		return nil, diskError("open", path, err)
	}
	if !s.same() {
		s.release()
		return nil, errSwapped
	}
	return s, nil
}

// same reports whether both handles and the path are one file, and no symbolic link.
func (s *stateFile) same() bool {
	named, err := os.Lstat(s.path)
	if err != nil {
		return false
	}
	locked, err := s.lock.Stat()
	if err != nil {
		return false
	}
	opened, err := s.Stat()
	return err == nil && os.SameFile(named, locked) && os.SameFile(named, opened)
}

// release closes the state file and gives up the lock.
func (s *stateFile) release() error {
	var err error
	if s.file != nil {
		err = s.file.Close()
	}
	return errors.Join(err, s.lock.Close())
}

// remove deletes the state file and gives up the lock: in that order, so that
// nobody gets the lock of a file about to go, except on Windows, which does not
// remove open files. There somebody who gets it in between makes the removal fail.
// Where the name leads to nothing, or to a file of somebody else, that is left alone.
func (s *stateFile) remove() error {
	if !s.same() {
		return diskError("close", s.path, s.release())
	}
	if runtime.GOOS == "windows" {
		err := errors.Join(s.release(), retry(func() error { return s.disk.remove(s.path) }))
		return diskError("remove", s.path, err)
	}
	err := s.disk.remove(s.path)
	return diskError("remove", s.path, errors.Join(err, s.release()))
}
