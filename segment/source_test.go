package segment

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// served writes data to a file and opens it as a source.
func served(t *testing.T, data []byte) (string, *Source) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "film.avi")
	writeFile(t, path, data)
	s, err := OpenSource(context.Background(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return path, s
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestSource(t *testing.T) {
	for _, size := range []int{0, 1, 100_000} {
		data := random(size)
		path, s := served(t, data)
		if s.path != path || s.Name() != "film.avi" || s.Manifest().Root() != manifestOf(t, data).Root() {
			t.Fatalf("%d bytes: %s with root %s", size, s.Name(), s.Manifest().Root())
		}
		again, err := s.Again()
		if err != nil {
			t.Fatal(err)
		}
		if again.Manifest() != s.Manifest() {
			t.Error("the second source has another manifest")
		}
		for _, s := range []*Source{s, s, again} {
			f, err := s.Open()
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes: a handle of its own reads other content (%v)", size, err)
			}
			if err := s.Unchanged(f); err != nil {
				t.Error(err)
			}
			f.Close()
		}
	}
}

func TestSourceProgress(t *testing.T) {
	path, _ := served(t, random(100_000))
	var last int64
	_, err := OpenSource(context.Background(), path, func(done, total int64) {
		if total != 100_000 || done <= last {
			t.Errorf("%d of %d after %d", done, total, last)
		}
		last = done
	})
	if err != nil || last != 100_000 {
		t.Errorf("progress ended at %d (%v)", last, err)
	}
}

func TestOpenSourceRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	writeFile(t, file, []byte("x"))
	for path, want := range map[string]string{
		dir:                        "folder",
		filepath.Join(dir, "none"): fs.ErrNotExist.Error(),
		filepath.Join(file, "sub"): filepath.Join(file, "sub"),
		os.DevNull:                 ErrNotRegular.Error(),
	} {
		_, err := OpenSource(context.Background(), path, nil)
		var disk *DiskError
		if !errors.As(err, &disk) || disk.Path != path {
			t.Errorf("%s: %v is no DiskError of it", path, err)
			continue
		}
		if want == fs.ErrNotExist.Error() && !errors.Is(err, fs.ErrNotExist) ||
			want != fs.ErrNotExist.Error() && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something about %q", path, err, want)
		}
	}
}

func TestOpenSourceCancelled(t *testing.T) {
	path, _ := served(t, random(100_000))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := OpenSource(ctx, path, nil); err != context.Canceled {
		t.Errorf("got %v", err)
	}
}

// changes are the ways in which a file stops being the one that was hashed.
var changes = map[string]func(path string) error{
	"grown":       func(path string) error { return resize(path, 100_001) },
	"shrunk":      func(path string) error { return resize(path, 99_999) },
	"touched":     func(path string) error { return os.Chtimes(path, time.Time{}, time.Unix(1e9, 1)) },
	"overwritten": func(path string) error { return rewrite(path, 0) },
	"replaced":    func(path string) error { return rewrite(path, 1) },
	"deleted":     os.Remove,
	"a folder": func(path string) error {
		return errors.Join(os.Remove(path), os.Mkdir(path, 0o755))
	},
}

// resize leaves the modification time as it was.
func resize(path string, size int64) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return errors.Join(os.Truncate(path, size), os.Chtimes(path, time.Time{}, info.ModTime()))
}

// rewrite puts other bytes of the same number into the file (how 0) or, with the
// same modification time, another file into its place (how 1).
func rewrite(path string, how int) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	other := make([]byte, info.Size())
	if how == 0 {
		return errors.Join(os.WriteFile(path, other, 0o644), os.Chtimes(path, time.Time{}, info.ModTime().Add(time.Second)))
	}
	return errors.Join(os.WriteFile(path+".new", other, 0o644),
		os.Chtimes(path+".new", time.Time{}, info.ModTime()),
		os.Rename(path+".new", path))
}

func TestUnchangedNotices(t *testing.T) {
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			path, s := served(t, random(100_000))
			f, err := s.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := s.Unchanged(f); err != nil {
				t.Fatal(err)
			}
			if err := change(path); err != nil {
				t.Fatal(err)
			}
			if err := s.Unchanged(f); !errors.Is(err, ErrChanged) {
				t.Errorf("got %v", err)
			}
			if _, err := s.Again(); !errors.Is(err, ErrChanged) {
				t.Errorf("a second source: %v", err)
			}
			if f, err := s.Open(); err == nil {
				if err := s.Unchanged(f); !errors.Is(err, ErrChanged) {
					t.Errorf("a handle opened afterwards: %v", err)
				}
				f.Close()
			}
		})
	}
}

func TestChangeWhileHashing(t *testing.T) {
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "film.avi")
			writeFile(t, path, random(100_000))
			changed := false
			_, err := OpenSource(context.Background(), path, func(_, _ int64) {
				if !changed {
					changed = true
					if err := change(path); err != nil {
						t.Error(err)
					}
				}
			})
			if !errors.Is(err, ErrChanged) {
				t.Errorf("got %v", err)
			}
		})
	}
}
