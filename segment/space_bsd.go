//go:build darwin || freebsd

package segment

import "golang.org/x/sys/unix"

// freeSpace returns how many bytes can still be written below dir.
func freeSpace(dir string) (free int64, known bool) {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil || st.Blocks == 0 {
		return 0, false
	}
	return bytesIn(int64(st.Bavail), int64(st.Bsize))
}
