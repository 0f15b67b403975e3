//go:build !linux && !darwin && !freebsd && !windows

package segment

// freeSpace does not know on this system.
func freeSpace(string) (free int64, known bool) { return 0, false }

// allocated does not know on this system.
func allocated(file) int64 { return 0 }

// makeSparse is for Windows.
func makeSparse(file) {}
