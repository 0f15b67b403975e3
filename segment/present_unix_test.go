//go:build unix

package segment

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// Somebody removes or replaces files under a download. (Windows does neither with open files.)

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// fails checks that Finish refuses, and that nothing is under the final name.
func fails(t *testing.T, p *Part, want error) {
	t.Helper()
	var disk *DiskError
	if path, err := p.Finish(); !errors.Is(err, want) || !errors.As(err, &disk) {
		t.Errorf("Finish() = %s, %v, want %v", path, err, want)
	}
	if _, err := os.Lstat(filepath.Join(p.dir, p.name)); err == nil {
		t.Error("there is a file under the final name")
	}
}

// A second client comes in where the state file, and so the lock, has lost its name: its half-empty
// file must not become the first one's finished one, nor go with the first one's.
func TestFinishBesideASecondClient(t *testing.T) {
	data := random(300_001)
	dir := t.TempDir()
	first := finished(t, dir, data)
	remove(t, first.state.path)
	second := create(t, dir, first.Manifest())
	fetch(t, second, data, 0)

	fails(t, first, errReplaced)
	if err := first.Discard(); err != nil {
		t.Error(err)
	}
	if err := second.Present(); err != nil {
		t.Errorf("the second client: %v", err)
	}
	fetch(t, second, data, upTo(second.missing+1)...)
	path, err := second.Finish()
	if err != nil {
		t.Fatal(err)
	}
	content(t, path, data)
	holds(t, dir, "film.avi")
}

// As above, while the second client has the lock and not yet touched the part file.
func TestFinishWithTheLockTaken(t *testing.T) {
	dir := t.TempDir()
	p := finished(t, dir, random(100_000))
	remove(t, p.state.path)
	other, err := openState(system{}, p.state.path, true)
	if err != nil {
		t.Fatal(err)
	}
	fails(t, p, ErrLocked)
	if err := other.remove(); err != nil {
		t.Fatal(err)
	}
	if err := p.Discard(); err != nil {
		t.Fatal(err)
	}
	holds(t, dir)
}

func TestFinishOfAnotherFile(t *testing.T) {
	dir := t.TempDir()
	p := finished(t, dir, random(100_000))
	remove(t, p.Path())
	fails(t, p, errVanished)
	if err := p.Discard(); err != nil {
		t.Fatal(err)
	}

	p = finished(t, dir, random(100_000))
	other := filepath.Join(dir, "other")
	writeFile(t, other, []byte("other"))
	if err := os.Rename(other, p.Path()); err != nil {
		t.Fatal(err)
	}
	fails(t, p, errReplaced)
	if err := p.Discard(); err != nil {
		t.Fatal(err)
	}
	content(t, p.Path(), []byte("other"))
	holds(t, dir, "film.avi.part")
}

// Without its state file a download is no worse: nobody else gets in, and it can be resumed.
func TestStateIsMadeAnew(t *testing.T) {
	data := random(300_001)
	for name, spoil := range map[string]func(t *testing.T, state string){
		"removed": remove,
		"replaced": func(t *testing.T, state string) {
			remove(t, state)
			writeFile(t, state, encodeState(manifestOf(t, random(100))))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			p := create(t, dir, manifestOf(t, data))
			fetch(t, p, data, 0, 1)
			spoil(t, p.state.path)
			fetch(t, p, data, 2)
			if err := p.Present(); err != nil {
				t.Fatal(err)
			}
			refused(t, dir, p.Manifest())
			fetch(t, p, data, 3)
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			p = resume(t, dir)
			if want := p.Manifest().Layout().Count() - 4; p.missing != want {
				t.Errorf("%d segments missing, want %d", p.missing, want)
			}
			fetch(t, p, data, upTo(p.Manifest().Layout().Count())...)
			spoil(t, p.state.path)
			finish(t, p, data)
		})
	}
}
