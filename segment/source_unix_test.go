//go:build unix

package segment

import (
	"context"
	"errors"
	"os"
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
	if same, exists, err := CheckExisting(context.Background(), path, manifestOf(t, nil)); same != nil || !exists || err != nil {
		t.Errorf("same %v, exists %t, %v", same, exists, err)
	}
}

// To open a named pipe would wait for its writer.
func TestOpenOfWhatBecameAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "film.avi")
	if err := os.WriteFile(path, []byte("film"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := OpenSource(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)); err != nil {
		t.Fatal(err)
	}
	if f, err := s.Open(); !errors.Is(err, ErrChanged) {
		t.Errorf("got %v, %v", f, err)
	}
}
