package segment

import "golang.org/x/sys/unix"

// writeBack waits only where the disk's queue is full.
func (system) writeBack(f file, offset, n int64) error {
	return unix.SyncFileRange(int(f.Fd()), offset, n, unix.SYNC_FILE_RANGE_WRITE)
}

func (system) forget(f file) error {
	return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}
