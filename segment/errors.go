package segment

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

var (
	// ErrManifest says that the values of a manifest do not fold up to its root, or
	// that there are too many or too few of them for the layout.
	ErrManifest = errors.New("the hash tree does not match the file's digest")

	// ErrChanged says that a served file is no longer the one that was hashed.
	ErrChanged = errors.New("the file has changed since it was hashed")

	// ErrLocked says that another client is at work on the same download.
	ErrLocked = errors.New("another client is busy with this download")

	// ErrNoState says that there is nothing to go on with: no state file, one that
	// is torn, or one without its part file.
	ErrNoState = errors.New("no partial download that could be resumed")

	// ErrExists says that there is a file under the final name already.
	ErrExists = errors.New("there is a file of this name already")

	// ErrNotRegular says that something other than an ordinary file is in the place of one.
	ErrNotRegular = errors.New("not an ordinary file")

	// ErrNoSpace says that the file does not fit on the disk.
	ErrNoSpace = errors.New("not enough space on the disk")
)

// errVanished says that somebody has removed the part file, or its folder; errReplaced that
// another file is in its place.
var (
	errVanished = errors.New("it was removed while it was being written")
	errReplaced = errors.New("it was replaced by another file")
)

// DiskError is a failure of the local disk, of whatever kind: no space, no
// permission, a file in use.
type DiskError struct {
	Op   string // what was being done: "create", "write", "lock"
	Path string
	Err  error
}

// Error names the operation, the path and the cause, in one line.
func (e *DiskError) Error() string { return e.Op + " " + e.Path + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *DiskError) Unwrap() error { return e.Err }

// diskError wraps err, if any, as a DiskError. It takes the cause out of the
// wrappers of package os, which would name operation and path a second time.
// Cancellation is nobody's disk, and what is a DiskError already stays as it is.
func diskError(op, path string, err error) error {
	var disk *DiskError
	if err == nil || errors.As(err, &disk) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var (
		onPath *fs.PathError
		onLink *os.LinkError
		inCall *os.SyscallError
	)
	switch {
	case errors.As(err, &onPath):
		err = onPath.Err
	case errors.As(err, &onLink):
		err = onLink.Err
	case errors.As(err, &inCall):
		err = inCall.Err
	}
	return &DiskError{Op: op, Path: path, Err: err}
}
