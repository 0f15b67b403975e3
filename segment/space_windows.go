package segment

import (
	"math"
	"unsafe"

	"golang.org/x/sys/windows"
)

// freeSpace returns how many bytes can still be written below dir.
func freeSpace(dir string) (free int64, known bool) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, false
	}
	var mine, total, all uint64
	if windows.GetDiskFreeSpaceEx(name, &mine, &total, &all) != nil {
		return 0, false
	}
	return int64(min(mine, math.MaxInt64)), true
}

// allocated returns how many bytes of the disk f takes.
func allocated(f file) int64 {
	// FILE_STANDARD_INFO
	var info struct {
		AllocationSize, EndOfFile int64
		NumberOfLinks             uint32
		DeletePending, Directory  bool
	}
	err := windows.GetFileInformationByHandleEx(windows.Handle(f.Fd()), windows.FileStandardInfo,
		(*byte)(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	if err != nil {
		return 0
	}
	return info.AllocationSize
}

// makeSparse lets f have holes. Without, NTFS fills a file with zeros up to every
// place that is written beyond the last one. File systems that cannot do it do it
// the slow way, so there is no error.
func makeSparse(f file) {
	var returned uint32
	_ = windows.DeviceIoControl(windows.Handle(f.Fd()), windows.FSCTL_SET_SPARSE, nil, 0, nil, 0, &returned, nil)
}
