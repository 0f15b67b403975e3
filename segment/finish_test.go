package segment

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// finished returns a part of which all is had.
func finished(t *testing.T, dir string, data []byte) *Part {
	t.Helper()
	p := create(t, dir, manifestOf(t, data))
	fetch(t, p, data, upTo(p.missing)...)
	return p
}

// The files as a crash leaves them at each point of Create.
func TestCrashInCreate(t *testing.T) {
	data := random(300_001)
	m := manifestOf(t, data)
	for name, left := range map[string]map[string][]byte{
		"state made":      {".state": nil},
		"part made":       {".state": nil, "": nil},
		"part sized":      {".state": nil, "": make([]byte, len(data))},
		"state half done": {".state": encodeState(m)[:100], "": make([]byte, len(data))},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for suffix, b := range left {
				writeFile(t, filepath.Join(dir, "film.avi.part"+suffix), b)
			}
			if _, err := Resume(context.Background(), dir, "film.avi"); !errors.Is(err, ErrNoState) {
				t.Errorf("Resume: %v", err)
			}
			if _, err := finished(t, dir, data).Finish(); err != nil {
				t.Fatal(err)
			}
			holds(t, dir, "film.avi")
		})
	}
	t.Run("all done", func(t *testing.T) {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "film.avi.part"), make([]byte, len(data)))
		writeFile(t, filepath.Join(dir, "film.avi.part.state"), encodeState(m))
		if p := resume(t, dir); p.HaveBytes() != 0 || p.Manifest().Root() != m.Root() {
			t.Error("it does not resume with nothing had")
		}
	})
}

func TestCrashBeforeRename(t *testing.T) {
	data := random(300_001)
	dir := t.TempDir()
	p := finished(t, dir, data)
	if err := p.Close(); err != nil { // what Finish does before
		t.Fatal(err)
	}
	p = resume(t, dir)
	if p.missing != 0 {
		t.Fatalf("%d segments missing", p.missing)
	}
	finish(t, p, data)
}

func TestCrashAfterRename(t *testing.T) {
	data := random(300_001)
	m := manifestOf(t, data)
	ctx := context.Background()
	for name, clear := range map[string]func(dir string) error{
		"Drop": func(dir string) error { return Drop(dir, "film.avi") },
		"Resume": func(dir string) error {
			if _, err := Resume(ctx, dir, "film.avi"); !errors.Is(err, ErrNoState) {
				return errors.Join(err, errors.New("that is not ErrNoState"))
			}
			return nil
		},
		"Create and Discard": func(dir string) error {
			p, err := Create(dir, "film.avi", m)
			if err != nil {
				return err
			}
			return p.Discard()
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			p := finished(t, dir, data)
			p.Close()
			path := filepath.Join(dir, "film.avi")
			if err := os.Rename(path+".part", path); err != nil {
				t.Fatal(err)
			}
			if same, exists, err := CheckExisting(ctx, path, m); same == nil || !exists || err != nil {
				t.Errorf("the finished file: same %v, exists %t, %v", same, exists, err)
			}
			if err := clear(dir); err != nil {
				t.Fatal(err)
			}
			holds(t, dir, "film.avi")
			content(t, path, data)
		})
	}
}

func TestFinishReplacesOnlyOnDemand(t *testing.T) {
	data, other := random(300_001), []byte("other content")
	dir := t.TempDir()
	p := finished(t, dir, data)
	path := filepath.Join(dir, "film.avi")
	writeFile(t, path, other) // it came while the download went on
	var disk *DiskError
	if _, err := p.Finish(); !errors.Is(err, ErrExists) || !errors.As(err, &disk) {
		t.Fatalf("got %v", err)
	}
	content(t, path, other)
	p.Close()

	p = resume(t, dir)
	p.Overwrite = true
	if got, err := p.Finish(); err != nil || got != path {
		t.Fatalf("Finish() = %s, %v", got, err)
	}
	content(t, path, data)
	holds(t, dir, "film.avi")
}

// A file may come while the disk takes its time with the fsync.
func TestFileThatComesWithTheFlush(t *testing.T) {
	c := newTrial(t, random(crashSize), nil, 1)
	p, err := createOn(c.disk, c.disk.dir, "film.avi", c.manifest, false)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	fetch(t, p, c.data, upTo(p.missing)...)
	path, mine := filepath.Join(c.disk.dir, "film.avi"), []byte("mine")
	c.disk.fault = func(_ int, op string) error {
		if op == "sync" {
			writeFile(t, path, mine)
		}
		return nil
	}
	if _, err := p.Finish(); !errors.Is(err, ErrExists) {
		t.Errorf("got %v", err)
	}
	content(t, path, mine)
}

// What is replaced because it has the content already must still be what was looked at.
func TestFinishReplacesOnlyWhatWasSeen(t *testing.T) {
	data := random(100_000)
	flipped := bytes.Clone(data)
	flipped[0] ^= 1
	for name, change := range map[string]func(t *testing.T, path string){
		"nothing": func(*testing.T, string) {},
		"grown":   func(t *testing.T, path string) { writeFile(t, path, append(bytes.Clone(data), 1)) },
		"edited": func(t *testing.T, path string) {
			writeFile(t, path, flipped)
			later(t, path)
		},
		"replaced": func(t *testing.T, path string) {
			writeFile(t, path+".new", flipped)
			later(t, path+".new")
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "film.avi")
			writeFile(t, path, data)
			p := finished(t, dir, data)
			var err error
			if p.Replaces, _, err = CheckExisting(context.Background(), path, p.Manifest()); p.Replaces == nil || err != nil {
				t.Fatalf("the same content is not seen: %v", err)
			}
			change(t, path)
			want := data
			if name != "nothing" {
				if want, err = os.ReadFile(path); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := p.Finish(); (err == nil) != (name == "nothing") || err != nil && !errors.Is(err, ErrExists) {
				t.Errorf("got %v", err)
			}
			content(t, path, want)
		})
	}
}

// later has a file be modified a second from now: clocks of file systems are coarse.
func later(t *testing.T, path string) {
	t.Helper()
	at := time.Now().Add(time.Second)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func TestFinishOntoFolder(t *testing.T) {
	data := random(100_000)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "film.avi"), 0o755); err != nil {
		t.Fatal(err)
	}
	p := finished(t, dir, data)
	p.Overwrite = true
	var disk *DiskError
	if _, err := p.Finish(); !errors.As(err, &disk) {
		t.Fatalf("got %v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if p := resume(t, dir); p.missing != 0 {
		t.Errorf("the failure has cost %d segments", p.missing)
	}
}

func TestFinishTwice(t *testing.T) {
	p := finished(t, t.TempDir(), random(100_000))
	if _, err := p.Finish(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Finish(); err == nil {
		t.Error("it finishes a second time")
	}
}

func TestCheckExisting(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "film.avi")
	for _, size := range []int{0, 1, 16 << 10, 300_001} {
		data := random(size)
		m := manifestOf(t, data)
		check := func(what string, wantSame, wantExists bool) {
			t.Helper()
			same, exists, err := CheckExisting(context.Background(), path, m)
			if (same != nil) != wantSame || exists != wantExists || err != nil {
				t.Errorf("%d bytes, %s: same %v, exists %t, %v", size, what, same, exists, err)
			}
		}
		os.Remove(path)
		check("no file", false, false)
		writeFile(t, path, data)
		check("the file", true, true)
		writeFile(t, path, append(bytes.Clone(data), 0))
		check("a longer file", false, true)
		for _, at := range []int{0, size / 2, size - 1} {
			if size > 0 {
				other := bytes.Clone(data)
				other[at] ^= 1
				writeFile(t, path, other)
				check("a flipped bit", false, true)
			}
		}
	}
	same, exists, err := CheckExisting(context.Background(), dir, manifestOf(t, nil))
	if same != nil || !exists || err != nil {
		t.Errorf("a folder: same %v, exists %t, %v", same, exists, err)
	}
	// Some systems say that there is no such file, others that it cannot be.
	same, exists, err = CheckExisting(context.Background(), filepath.Join(path, "sub"), manifestOf(t, nil))
	var disk *DiskError
	if same != nil || exists || err != nil && !errors.As(err, &disk) {
		t.Errorf("below a file: same %v, exists %t, %v", same, exists, err)
	}
}

func TestCheckExistingCancelled(t *testing.T) {
	data := random(300_001)
	path := filepath.Join(t.TempDir(), "film.avi")
	writeFile(t, path, data)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if same, _, err := CheckExisting(ctx, path, manifestOf(t, data)); same != nil || err != context.Canceled {
		t.Errorf("same %v, %v", same, err)
	}
}
