package segment

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

// /dev/full takes no byte from anybody.
func TestDiskFullWhileWriting(t *testing.T) {
	data := random(100_000)
	p := create(t, t.TempDir(), manifestOf(t, data))
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	p.file.Close()
	p.file = full
	err = p.Write(Run{0, 1}, piece(data, p.Manifest().Layout(), 0))
	var disk *DiskError
	if !errors.Is(err, syscall.ENOSPC) || !errors.As(err, &disk) || disk.Path != p.Path() {
		t.Errorf("got %v", err)
	}
}
