package segment

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// symlink makes one, or skips where the system lets only administrators do it.
func symlink(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		if runtime.GOOS == "windows" {
			t.Skip("Windows makes symbolic links only with a privilege: ", err)
		}
		t.Fatal(err)
	}
}

func TestCreateFollowsNoSymlink(t *testing.T) {
	data := random(100_000)
	m := manifestOf(t, data)
	for _, suffix := range []string{".part", ".part.state"} {
		for _, target := range []string{"precious", "missing"} {
			t.Run(suffix+" to "+target, func(t *testing.T) {
				dir, elsewhere := t.TempDir(), t.TempDir()
				writeFile(t, filepath.Join(elsewhere, "precious"), []byte("precious"))
				symlink(t, filepath.Join(elsewhere, target), filepath.Join(dir, "film.avi"+suffix))
				p := create(t, dir, m)
				fetch(t, p, data, upTo(p.missing)...)
				finish(t, p, data)
				holds(t, elsewhere, "precious")
				content(t, filepath.Join(elsewhere, "precious"), []byte("precious"))
			})
		}
	}
}

func TestResumeRefusesSymlink(t *testing.T) {
	data := random(100_000)
	m := manifestOf(t, data)
	for _, suffix := range []string{".part", ".part.state"} {
		t.Run(suffix, func(t *testing.T) {
			dir, elsewhere := t.TempDir(), t.TempDir()
			p := create(t, dir, m)
			fetch(t, p, data, 0, 1)
			p.Close()
			path, moved := filepath.Join(dir, "film.avi"+suffix), filepath.Join(elsewhere, "moved")
			if err := os.Rename(path, moved); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(moved)
			if err != nil {
				t.Fatal(err)
			}
			symlink(t, moved, path)
			var disk *DiskError
			if _, err := Resume(context.Background(), dir, "film.avi"); !errors.Is(err, ErrNotRegular) || !errors.As(err, &disk) {
				t.Errorf("got %v", err)
			}
			if suffix == ".part.state" {
				if _, _, err := PeekState(dir, "film.avi"); !errors.Is(err, ErrNotRegular) {
					t.Errorf("PeekState: %v", err)
				}
			}
			content(t, moved, before)
		})
	}
}

// A link that is put there between the look and the lock.
func TestLockFollowsNoSymlink(t *testing.T) {
	dir := t.TempDir()
	target, path := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	writeFile(t, target, nil)
	symlink(t, target, path)
	if _, err := lockState(system{}, path); err != errSwapped {
		t.Fatalf("got %v", err)
	}
	s, err := lockState(system{}, target) // the failure has let go of it
	if err != nil {
		t.Fatal(err)
	}
	if err := s.release(); err != nil {
		t.Error(err)
	}
}

func TestDropRemovesTheLinkOnly(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	precious := filepath.Join(elsewhere, "precious")
	writeFile(t, precious, []byte("precious"))
	symlink(t, precious, filepath.Join(dir, "film.avi.part"))
	symlink(t, precious, filepath.Join(dir, "film.avi.part.state"))
	if err := Drop(dir, "film.avi"); err != nil {
		t.Fatal(err)
	}
	holds(t, dir)
	content(t, precious, []byte("precious"))
}

func TestExistingSymlinks(t *testing.T) {
	data := random(100_000)
	m := manifestOf(t, data)
	dir, elsewhere := t.TempDir(), t.TempDir()
	path, target := filepath.Join(dir, "film.avi"), filepath.Join(elsewhere, "target")
	symlink(t, target, path)
	if same, exists, err := CheckExisting(context.Background(), path, m); same != nil || !exists || err != nil {
		t.Errorf("a link to nowhere: same %v, exists %t, %v", same, exists, err)
	}
	writeFile(t, target, data)
	if same, exists, err := CheckExisting(context.Background(), path, m); same == nil || !exists || err != nil {
		t.Errorf("a link to the content: same %v, exists %t, %v", same, exists, err)
	}
	writeFile(t, target, []byte("other"))
	p := finished(t, dir, data)
	if _, err := p.Finish(); !errors.Is(err, ErrExists) {
		t.Errorf("a link in the place: %v", err)
	}
	p.Overwrite = true
	if _, err := p.Finish(); err != nil {
		t.Fatal(err)
	}
	content(t, path, data)
	content(t, target, []byte("other"))
}
