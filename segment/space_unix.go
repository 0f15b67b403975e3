//go:build linux || darwin || freebsd

package segment

import (
	"math"
	"syscall"
)

// bytesIn returns the size of a number of blocks, of which a file system may lack
// some (FreeBSD counts below zero) or have more than an int64 of bytes.
func bytesIn(blocks, unit int64) (free int64, known bool) {
	if unit <= 0 || blocks > math.MaxInt64/unit {
		return 0, false
	}
	return max(blocks, 0) * unit, true
}

// allocated returns how many bytes of the disk f takes.
func allocated(f file) int64 {
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return int64(st.Blocks) * 512
}

// makeSparse is for Windows: here every file may have holes.
func makeSparse(file) {}
