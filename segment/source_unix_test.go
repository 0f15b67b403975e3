//go:build unix

package segment

import (
	"context"
	"errors"
	"path/filepath"
	"syscall"
	"testing"
)

// Opening a named pipe would wait for a writer.
func TestOpenSourceRefusesPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSource(context.Background(), path, nil); !errors.Is(err, ErrNotRegular) {
		t.Errorf("got %v", err)
	}
	if same, exists, err := CheckExisting(context.Background(), path, manifestOf(t, nil)); same || !exists || err != nil {
		t.Errorf("same %t, exists %t, %v", same, exists, err)
	}
}
