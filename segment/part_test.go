package segment

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"pgregory.net/rapid"
)

// create starts a download; the test ends it if it does not end by itself.
func create(t *testing.T, dir string, m *Manifest) *Part {
	t.Helper()
	p, err := Create(dir, "film.avi", m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// resume goes on with a download and has what it claims read back.
func resume(t *testing.T, dir string) *Part {
	t.Helper()
	p, err := Resume(context.Background(), dir, "film.avi")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	if err := p.markClaimed(context.Background()); err != nil {
		t.Fatal(err)
	}
	return p
}

// markClaimed marks what of the claimed verifies.
func (p *Part) markClaimed(ctx context.Context) error {
	return p.ReadBack(ctx, func(i int, verifies bool) {
		if verifies {
			p.Mark(Run{i, 1})
		}
	})
}

// fetch writes and marks the given segments.
func fetch(t *testing.T, p *Part, data []byte, segments ...int) {
	t.Helper()
	for _, i := range segments {
		if err := p.Write(Run{i, 1}, piece(data, p.Manifest().Layout(), i)); err != nil {
			t.Fatal(err)
		}
		p.Mark(Run{i, 1})
	}
}

// finish holds that the download becomes the file, and leaves nothing else.
func finish(t *testing.T, p *Part, data []byte) {
	t.Helper()
	path, err := p.Finish()
	if err != nil {
		t.Fatal(err)
	}
	content(t, path, data)
	holds(t, p.dir, "film.avi")
}

// upTo returns the numbers from 0 to n-1.
func upTo(n int) (list []int) {
	for i := range n {
		list = append(list, i)
	}
	return list
}

// files returns what is in dir.
func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// holds checks that dir holds these files and nothing else.
func holds(t *testing.T, dir string, want ...string) {
	t.Helper()
	if got := files(t, dir); !slices.Equal(got, want) {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
}

// content checks what is in a file.
func content(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s has other content than it should", path)
	}
}

func TestDownload(t *testing.T) {
	for _, size := range []int{0, 1, 16 << 10, 16<<10 + 1, 300_001, 17 << 20} {
		data := random(size)
		m := manifestOf(t, data)
		l := m.Layout()
		dir := filepath.Join(t.TempDir(), "made", "here")
		p := create(t, dir, m)
		holds(t, dir, "film.avi.part", "film.avi.part.state")
		if p.missing != l.Count() || p.HaveBytes() != 0 {
			t.Errorf("%d bytes: starts with %d segments missing, %d bytes had", size, p.missing, p.HaveBytes())
		}
		if l.Count() > 0 {
			if _, err := p.Finish(); err == nil {
				t.Fatalf("%d bytes: finished with nothing had", size)
			}
		}
		for i := l.Count() - 1; i >= 0; i-- {
			if p.Have(i) {
				t.Errorf("%d bytes: segment %d is had beforehand", size, i)
			}
			fetch(t, p, data, i, i) // had twice counts once
			if !p.Have(i) || p.missing != i || p.HaveBytes() != l.Size-l.Offset(i) {
				t.Errorf("%d bytes: with segment %d had, %d missing, %d bytes had", size, i, p.missing, p.HaveBytes())
			}
		}
		path, err := p.Finish()
		if err != nil || path != filepath.Join(dir, "film.avi") {
			t.Fatalf("%d bytes: Finish() = %s, %v", size, path, err)
		}
		content(t, path, data)
		holds(t, dir, "film.avi")
		if err := errors.Join(p.Close(), p.Discard(), p.Checkpoint()); err != nil {
			t.Error(err)
		}
		holds(t, dir, "film.avi")
	}
}

func TestSegmentsAreWrittenInParallel(t *testing.T) {
	data := random(2 << 20)
	m := manifestOf(t, data)
	dir := t.TempDir()
	p := create(t, dir, m)
	count := m.Layout().Count()
	written := make(chan int)
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for i := w; i < count; i += 8 {
				if err := p.Write(Run{i, 1}, piece(data, m.Layout(), i)); err != nil {
					t.Error(err)
				}
				written <- i
			}
		})
	}
	for range count {
		p.Mark(Run{<-written, 1})
		if err := p.Checkpoint(); err != nil {
			t.Error(err)
		}
	}
	writers.Wait()
	path, err := p.Finish()
	if err != nil {
		t.Fatal(err)
	}
	content(t, path, data)
}

func TestWriteRefuses(t *testing.T) {
	data := random(100_000)
	p := create(t, t.TempDir(), manifestOf(t, data))
	for name, err := range map[string]error{
		"-1":        p.Write(Run{-1, 1}, data[:16<<10]),
		"beyond":    p.Write(Run{7, 1}, data[:16<<10]),
		"none":      p.Write(Run{0, 0}, nil),
		"too many":  p.Write(Run{5, 3}, data[5*16<<10:]),
		"too short": p.Write(Run{0, 1}, data[:16<<10-1]),
		"too long":  p.Write(Run{6, 1}, data[:16<<10]),
	} {
		if err == nil {
			t.Errorf("segment %s is written", name)
		}
	}
}

// A run is written and noted at once, also where some of it was had and where the state file has it
// in more than one byte.
func TestRuns(t *testing.T) {
	const segment = 16 << 10
	data := random(40*segment + 5)
	m, dir := manifestOf(t, data), t.TempDir()
	p := create(t, dir, m)
	for _, run := range []Run{{9, 1}, {5, 13}, {5, 13}, {39, 2}, {20, 0}} {
		if run.Count > 0 {
			if err := p.Write(run, data[run.First*segment:min(run.End()*segment, len(data))]); err != nil {
				t.Fatal(err)
			}
		}
		p.Mark(run)
	}
	const had = 14*segment + 5
	if p.HaveBytes() != had {
		t.Errorf("%d bytes are had, want %d", p.HaveBytes(), had)
	}
	p.file.Close() // as if killed
	p.state.release()
	again := resume(t, dir)
	if again.HaveBytes() != had {
		t.Errorf("after a kill %d bytes are found, want %d", again.HaveBytes(), had)
	}
	for i := range m.Layout().Count() {
		if want := i >= 5 && i < 18 || i >= 39; again.Have(i) != want {
			t.Errorf("segment %d: %v, want %v", i, again.Have(i), want)
		}
	}
}

func TestInterruptAndResume(t *testing.T) {
	for _, size := range []int{0, 1, 16<<10 + 1, 300_001} {
		data := random(size)
		m := manifestOf(t, data)
		dir := t.TempDir()
		p := create(t, dir, m)
		half := m.Layout().Count() / 2
		fetch(t, p, data, upTo(half)...)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		holds(t, dir, "film.avi.part", "film.avi.part.state")
		if names, err := FindState(dir); err != nil || !slices.Equal(names, []string{"film.avi"}) {
			t.Errorf("in progress: %q, %v", names, err)
		}

		p = resume(t, dir)
		if p.name != "film.avi" || p.Manifest().Root() != m.Root() || p.Manifest().Layout() != m.Layout() {
			t.Errorf("%d bytes: another download is resumed", size)
		}
		if p.missing != m.Layout().Count()-half || p.HaveBytes() != m.Layout().RunBytes(Run{0, half}) {
			t.Errorf("%d bytes: %d missing, %d bytes had", size, p.missing, p.HaveBytes())
		}
		for i := range m.Layout().Count() {
			if p.Have(i) != (i < half) {
				t.Errorf("%d bytes: segment %d had: %t", size, i, p.Have(i))
			} else if i >= half {
				fetch(t, p, data, i)
			}
		}
		finish(t, p, data)
	}
}

// What is on disk, flagged, and verifies is had, and nothing else: segments are
// written or not, flagged or not, damaged or not, and the file may be cut or grown.
func TestResumeBelievesOnlyWhatVerifies(t *testing.T) {
	data := random(300_001)
	m := manifestOf(t, data)
	l := m.Layout()
	root := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(root, "")
		if err != nil {
			rt.Fatal(err)
		}
		p, err := Create(dir, "film.avi", m)
		if err != nil {
			rt.Fatal(err)
		}
		want := make([]bool, l.Count())
		for i := range want {
			seg := bytes.Clone(piece(data, l, i))
			how := rapid.SampledFrom([]string{"good", "missing", "damaged", "unflagged"}).Draw(rt, "segment")
			if how == "damaged" {
				seg[rapid.IntRange(0, len(seg)-1).Draw(rt, "byte")] ^= 4
			}
			if how != "missing" {
				if err := p.Write(Run{i, 1}, seg); err != nil {
					rt.Fatal(err)
				}
			}
			if how != "unflagged" {
				p.Mark(Run{i, 1})
			}
			want[i] = how == "good"
		}
		if err := p.Close(); err != nil {
			rt.Fatal(err)
		}
		length := rapid.Int64Range(0, 2*l.Size).Draw(rt, "length")
		if err := os.Truncate(p.Path(), length); err != nil {
			rt.Fatal(err)
		}

		for range 2 { // the second time from what the first one has saved
			p, err = Resume(context.Background(), dir, "film.avi")
			if err != nil {
				rt.Fatal(err)
			}
			if err := p.markClaimed(context.Background()); err != nil {
				rt.Fatal(err)
			}
			var bytesHad int64
			missing := 0
			for i := range want {
				want[i] = want[i] && l.Offset(i)+int64(l.Len(i)) <= length
				if p.Have(i) != want[i] {
					rt.Fatalf("segment %d had: %t, want %t", i, p.Have(i), want[i])
				}
				if want[i] {
					bytesHad += int64(l.Len(i))
				} else {
					missing++
				}
			}
			if p.HaveBytes() != bytesHad || p.missing != missing {
				rt.Fatalf("%d bytes had, %d segments missing; want %d, %d", p.HaveBytes(), p.missing, bytesHad, missing)
			}
			if info, err := p.file.Stat(); err != nil || info.Size() != l.Size {
				rt.Fatalf("the part file has not its size: %v, %v", info, err)
			}
			if err := p.Close(); err != nil {
				rt.Fatal(err)
			}
		}
		if err := os.RemoveAll(dir); err != nil {
			rt.Fatal(err)
		}
	})
}

func TestWhatIsMarkedSurvivesAKill(t *testing.T) {
	data := random(300_001)
	dir := t.TempDir()
	p := create(t, dir, manifestOf(t, data))
	fetch(t, p, data, 1, 3, 9)
	l := p.Manifest().Layout()
	if err := p.Write(Run{5, 1}, data[l.Offset(5):l.Offset(6)]); err != nil {
		t.Fatal(err)
	}
	// As if killed now: no Checkpoint, no Close.
	p.file.Close()
	p.state.release()
	p = resume(t, dir)
	for i := range l.Count() {
		if p.Have(i) != (i == 1 || i == 3 || i == 9) {
			t.Errorf("segment %d had: %t", i, p.Have(i))
		}
	}
}

// TestKillWhileReadingBack holds that what was not read back yet is not lost, nor what has come
// meanwhile, and that the file is not finished without it.
func TestKillWhileReadingBack(t *testing.T) {
	data := random(300_001)
	dir := t.TempDir()
	p := create(t, dir, manifestOf(t, data))
	l := p.Manifest().Layout()
	fetch(t, p, data, 0, 1, 2)
	p.Close()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	p, err := Resume(context.Background(), dir, "film.avi")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.markClaimed(gone); err != context.Canceled {
		t.Fatalf("got %v", err)
	}
	for i := 3; i < l.Count(); i++ {
		if p.Have(i) || p.Claimed(i) {
			t.Errorf("segment %d: had %t, claimed %t", i, p.Have(i), p.Claimed(i))
		}
		fetch(t, p, data, i)
	}
	if !p.Claimed(2) || p.Have(2) || p.HaveBytes() != l.Size-l.Offset(3) {
		t.Errorf("of segments 0 to 2 nothing was read; %d bytes are had", p.HaveBytes())
	}
	if _, err := p.Finish(); err == nil {
		t.Fatal("finished without knowing that all is there")
	}
	// As if killed now: no Checkpoint, no Close.
	p.file.Close()
	p.state.release()
	finish(t, resume(t, dir), data)
}

// TestReadBackBesideTheDownload reads, writes and marks at the same time.
func TestReadBackBesideTheDownload(t *testing.T) {
	data := random(3 << 20)
	dir := t.TempDir()
	p := create(t, dir, manifestOf(t, data))
	half := p.Manifest().Layout().Count() / 2
	fetch(t, p, data, upTo(half)...)
	if err := errors.Join(p.Close(), flipAt(p.Path(), 5)); err != nil {
		t.Fatal(err)
	}
	p, err := Resume(t.Context(), dir, "film.avi")
	if err != nil {
		t.Fatal(err)
	}
	good := make(chan int, half)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(good)
		err := p.ReadBack(t.Context(), func(i int, verifies bool) {
			if verifies {
				good <- i
			}
		})
		if err != nil {
			t.Error(err)
		}
	})
	for i := half; i < p.Manifest().Layout().Count(); i++ {
		fetch(t, p, data, i)
	}
	read := 0
	for i := range good {
		p.Mark(Run{i, 1})
		read++
	}
	reading.Wait()
	if read != half-1 || p.Have(0) {
		t.Errorf("%d of %d verify, the damaged one %t", read, half, p.Have(0))
	}
	fetch(t, p, data, 0)
	finish(t, p, data)
}

// TestSalvage goes by the part file alone.
func TestSalvage(t *testing.T) {
	data := random(1 << 20)
	m := manifestOf(t, data)
	l := m.Layout()
	for name, harm := range map[string]func(state, part string) error{
		"state gone":    func(state, _ string) error { return os.Remove(state) },
		"state damaged": func(state, _ string) error { return flipAt(state, stateValues) },
		"state empty":   func(state, _ string) error { return os.Truncate(state, 0) },
		"part cut":      func(state, part string) error { return errors.Join(os.Remove(state), os.Truncate(part, l.Offset(7)+1)) },
		"part longer":   func(state, part string) error { return errors.Join(os.Remove(state), os.Truncate(part, 2<<20)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			p := create(t, dir, m)
			fetch(t, p, data, 0, 3, 6)
			part, state := p.Path(), p.state.path
			if err := errors.Join(p.Close(), flipAt(part, int(l.Offset(3))), harm(state, part)); err != nil {
				t.Fatal(err)
			}
			if _, err := Resume(t.Context(), dir, "film.avi"); !errors.Is(err, ErrNoState) {
				t.Fatalf("%v, want ErrNoState", err)
			}
			p, err := Salvage(t.Context(), dir, "film.avi", m)
			if err != nil {
				t.Fatal(err)
			}
			refused(t, dir, m)
			if !p.Have(0) || p.Have(3) || !p.Have(6) || p.HaveBytes() != 2*l.SegmentSize {
				t.Errorf("%d bytes are had", p.HaveBytes())
			}
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			p = resume(t, dir) // the state file is a good one again
			if p.HaveBytes() != 2*l.SegmentSize {
				t.Errorf("then %d bytes are had", p.HaveBytes())
			}
			fetch(t, p, data, upTo(l.Count())...)
			finish(t, p, data)
		})
	}
}

func TestNothingToSalvage(t *testing.T) {
	m := manifestOf(t, random(100_000))
	dir := t.TempDir()
	if _, err := Salvage(t.Context(), dir, "film.avi", m); !errors.Is(err, ErrNoState) {
		t.Errorf("%v, want ErrNoState", err)
	}
	holds(t, dir)
	create(t, dir, m)
	if _, err := Salvage(t.Context(), dir, "film.avi", m); !errors.Is(err, ErrLocked) {
		t.Errorf("%v, want ErrLocked", err)
	}
}

// TestSalvageCancelled leaves all as it was.
func TestSalvageCancelled(t *testing.T) {
	data := random(1 << 20)
	m := manifestOf(t, data)
	dir := t.TempDir()
	p := create(t, dir, m)
	fetch(t, p, data, 0, 3)
	state := p.state.path
	if err := errors.Join(p.Close(), os.Remove(state)); err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Salvage(gone, dir, "film.avi", m); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	p, err := Salvage(t.Context(), dir, "film.avi", m)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.HaveBytes() != 2*m.Layout().SegmentSize {
		t.Errorf("%d bytes are had", p.HaveBytes())
	}
}

func TestNothingToResume(t *testing.T) {
	data := random(300_001)
	m := manifestOf(t, data)
	for name, spoil := range map[string]func(part, state string) error{
		"never begun":    func(part, state string) error { return errors.Join(os.Remove(part), os.Remove(state)) },
		"no state":       func(_, state string) error { return os.Remove(state) },
		"no part":        func(part, _ string) error { return os.Remove(part) },
		"empty state":    func(_, state string) error { return os.Truncate(state, 0) },
		"torn state":     func(_, state string) error { return os.Truncate(state, bitmapOffset(m)-1) },
		"not a state":    func(_, state string) error { return os.WriteFile(state, random(5000), 0o644) },
		"flipped header": func(_, state string) error { return flipAt(state, 30) },
		"flipped value":  func(_, state string) error { return flipAt(state, stateValues+40) },
		"flipped sum":    func(_, state string) error { return flipAt(state, stateSum) },
		"other version":  func(_, state string) error { return flipAt(state, stateStart+7) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			p := create(t, dir, m)
			fetch(t, p, data, 0, 1)
			p.Close()
			if err := spoil(p.Path(), p.Path()+".state"); err != nil {
				t.Fatal(err)
			}
			if _, _, err := PeekState(dir, "film.avi"); !errors.Is(err, ErrNoState) {
				t.Errorf("PeekState: %v", err)
			}
			if p, err := Resume(context.Background(), dir, "film.avi"); !errors.Is(err, ErrNoState) || p != nil {
				t.Fatalf("got %v", err)
			}
			// The files are free again, and a new beginning sweeps them away.
			p = create(t, dir, m)
			if p.HaveBytes() != 0 {
				t.Errorf("%d bytes had at a new beginning", p.HaveBytes())
			}
			fetch(t, p, data, upTo(m.Layout().Count())...)
			finish(t, p, data)
		})
	}
}

func flipAt(path string, at int) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b[at] ^= 1
	return os.WriteFile(path, b, 0o644)
}

func TestCreateStartsFromNothing(t *testing.T) {
	data := random(300_001)
	m := manifestOf(t, data)
	dir := t.TempDir()
	p := create(t, dir, m)
	fetch(t, p, data, 0, 1, 2)
	p.Close()

	other := random(100_000)
	p = create(t, dir, manifestOf(t, other))
	content(t, p.Path(), make([]byte, len(other)))
	p.Close()
	if p := resume(t, dir); p.Manifest().Root() != manifestOf(t, other).Root() || p.HaveBytes() != 0 {
		t.Error("something of the old download is left")
	}
}

func TestLeftoverDropDiscard(t *testing.T) {
	m := manifestOf(t, random(300_001))
	dir := t.TempDir()
	bystanders := []string{"film.avi", "film.avi.party", "other.part"}
	for _, name := range bystanders {
		writeFile(t, filepath.Join(dir, name), []byte(name))
	}
	alone := func(when string) {
		t.Helper()
		if Leftover(dir, "film.avi") {
			t.Errorf("%s: something is left over", when)
		}
		holds(t, dir, bystanders...)
	}
	alone("before")
	if err := Drop(dir, "film.avi"); err != nil {
		t.Errorf("nothing to drop: %v", err)
	}

	p := create(t, dir, m)
	if !Leftover(dir, "film.avi") {
		t.Error("a download leaves nothing")
	}
	if err := p.Discard(); err != nil {
		t.Fatal(err)
	}
	alone("after Discard")

	create(t, dir, m).Close()
	if err := Drop(dir, "film.avi"); err != nil {
		t.Fatal(err)
	}
	alone("after Drop")

	for _, suffix := range []string{".part", ".part.state"} {
		writeFile(t, filepath.Join(dir, "film.avi"+suffix), nil)
		if !Leftover(dir, "film.avi") {
			t.Errorf("a lone %s is overlooked", suffix)
		}
		if err := Drop(dir, "film.avi"); err != nil {
			t.Fatal(err)
		}
		alone("after Drop of a lone " + suffix)
	}
	if err := Drop(filepath.Join(dir, "none"), "film.avi"); err != nil {
		t.Errorf("no folder: %v", err)
	}
}

func TestFindState(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.part.state", "a.avi.part.state", "a.avi.part", "c.part", ".part.state", "..part.state", "CON.part.state", "d.state"} {
		writeFile(t, filepath.Join(dir, name), nil)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder.part.state"), 0o755); err != nil {
		t.Fatal(err)
	}
	if names, err := FindState(dir); err != nil || !slices.Equal(names, []string{"a.avi", "b"}) {
		t.Errorf("found %q, %v", names, err)
	}
	if names, err := FindState(filepath.Join(dir, "none")); err != nil || len(names) > 0 {
		t.Errorf("no folder: %q, %v", names, err)
	}
	var disk *DiskError
	if _, err := FindState(filepath.Join(dir, "c.part")); !errors.As(err, &disk) {
		t.Errorf("a file for a folder: %v", err)
	}
}

// refused checks that the download is locked, whatever one tries.
func refused(t *testing.T, dir string, m *Manifest) {
	t.Helper()
	_, createErr := Create(dir, "film.avi", m)
	_, resumeErr := Resume(context.Background(), dir, "film.avi")
	for op, err := range map[string]error{"Create": createErr, "Resume": resumeErr, "Drop": Drop(dir, "film.avi")} {
		var disk *DiskError
		if !errors.Is(err, ErrLocked) || !errors.As(err, &disk) {
			t.Errorf("%s: got %v, want ErrLocked", op, err)
		}
	}
	holds(t, dir, "film.avi.part", "film.avi.part.state")
}

func TestSecondClientIsRefused(t *testing.T) {
	data := random(100_000)
	m := manifestOf(t, data)
	dir := t.TempDir()
	p := create(t, dir, m)
	fetch(t, p, data, upTo(m.Layout().Count())...)
	refused(t, dir, m)
	if root, layout, err := PeekState(dir, "film.avi"); root != m.Root() || layout != m.Layout() || err != nil {
		t.Errorf("PeekState beside the lock: %s, %v, %v", root, layout, err)
	}
	p.Close()
	p = resume(t, dir)
	refused(t, dir, m)
	if p.missing != 0 {
		t.Fatalf("the attempts have cost %d segments", p.missing)
	}
	other, err := Create(dir, "other.avi", m)
	if err != nil {
		t.Fatalf("another download beside it: %v", err)
	}
	if err := other.Discard(); err != nil {
		t.Error(err)
	}
}

func TestOtherProcess(t *testing.T) {
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir)
	child.Stderr = os.Stderr
	stdin, err := child.StdinPipe() // held open: the child waits on it
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	data := pattern(childSize)
	m := manifestOf(t, data)
	refused(t, dir, m)

	child.Process.Kill()
	child.Wait()
	p := resume(t, dir)
	count := m.Layout().Count()
	if p.Manifest().Root() != m.Root() || p.missing != count-count/2 {
		t.Errorf("after a kill %d of %d segments are missing", p.missing, count)
	}
}

// A path that leads through a file fails for root as well.
func TestDiskErrors(t *testing.T) {
	m := manifestOf(t, random(100_000))
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	writeFile(t, file, nil)
	_, inFile := Create(file, "film.avi", m)
	_, below := Create(filepath.Join(file, "sub"), "film.avi", m)

	taken := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(taken, "film.avi.part", "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, overFolder := Create(taken, "film.avi", m)
	holds(t, taken, "film.avi.part")

	closed := create(t, filepath.Join(dir, "closed"), m)
	closed.file.Close()
	for name, err := range map[string]error{
		"a file for a folder": inFile,
		"a folder in a file":  below,
		"a folder for a part": overFolder,
		"Drop of a folder":    Drop(taken, "film.avi"),
		"a closed file":       closed.Write(Run{0, 1}, make([]byte, 16<<10)),
	} {
		var disk *DiskError
		if !errors.As(err, &disk) || disk.Op == "" || disk.Err == nil || !strings.HasPrefix(disk.Path, dir) {
			t.Errorf("%s: %v is no DiskError", name, err)
		} else if strings.Count(disk.Error(), disk.Path) != 1 {
			t.Errorf("%s: %v does not name the path once", name, err)
		}
	}
}

// statless is a disk whose files tell nothing of themselves.
type statless struct{ disk }

type statlessFile struct{ file }

func (s statless) open(path string, flag int) (file, error) {
	f, err := s.disk.open(path, flag)
	if filepath.Ext(path) == partSuffix {
		f = statlessFile{f}
	}
	return f, err
}

func (statlessFile) Stat() (os.FileInfo, error) { return nil, syscall.EIO }

// The cause is told, and not that somebody has replaced the file.
func TestResumeWithoutStat(t *testing.T) {
	dir := t.TempDir()
	create(t, dir, manifestOf(t, random(100_000))).Close()
	var e *DiskError
	if _, err := resumeOn(context.Background(), statless{system{}}, dir, "film.avi"); !errors.Is(err, syscall.EIO) || !errors.As(err, &e) {
		t.Errorf("got %v", err)
	}
}

func TestNoSpace(t *testing.T) {
	dir := t.TempDir()
	if _, known := freeSpace(dir); !known {
		t.Skip("this system does not tell how much space there is") // TestFreeSpaceIsOfThatDisk tells where it should
	}
	m := &Manifest{layout: Layout{Size: 1 << 62, SegmentSize: 1 << 61}, values: make([]byte, 64)}
	_, err := Create(dir, "film.avi", m)
	var disk *DiskError
	if !errors.Is(err, ErrNoSpace) || !errors.As(err, &disk) {
		t.Errorf("got %v", err)
	}
	holds(t, dir)
}

func TestFreeSpaceIsOfThatDisk(t *testing.T) {
	dir := t.TempDir()
	free, known := freeSpace(dir)
	supported := slices.Contains([]string{"linux", "darwin", "freebsd", "windows"}, runtime.GOOS)
	if known != supported || known && free <= 0 {
		t.Errorf("%d bytes free where the tests write, known: %t", free, known)
	}
	if _, known := freeSpace(filepath.Join(dir, "none")); known {
		t.Error("known for a folder that does not exist")
	}
}

func TestPartTakesNoSpaceBeforehand(t *testing.T) {
	data := random(17 << 20)
	p := create(t, t.TempDir(), manifestOf(t, data))
	if n := allocated(p.file); n > 1<<20 {
		t.Errorf("%d bytes taken before the first one came", n)
	}
	fetch(t, p, data, upTo(p.missing)...)
	if err := p.file.Sync(); err != nil {
		t.Fatal(err)
	}
	if n := allocated(p.file); n == 0 {
		t.Error("nothing taken with all of it written")
	}
}

// syncs is a disk that notes which folders are made last.
type syncs struct {
	disk
	dirs []string
	err  error
}

func (s *syncs) syncDir(dir string) error {
	s.dirs = append(s.dirs, dir)
	return s.err
}

// TestMakeDirLasts holds that the folder above each new one is flushed, as the new name
// stands there, and nothing where nothing is new.
func TestMakeDirLasts(t *testing.T) {
	top := t.TempDir()
	deep := filepath.Join(top, "a", "b")
	s := &syncs{disk: system{}}
	for range 2 {
		if err := makeDir(s, deep); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{top, filepath.Join(top, "a")}; !slices.Equal(s.dirs, want) {
		t.Errorf("flushed %v, want %v", s.dirs, want)
	}
	s.err = syscall.EIO
	var e *DiskError
	if err := makeDir(s, filepath.Join(top, "c")); !errors.As(err, &e) || !errors.Is(err, syscall.EIO) {
		t.Errorf("a flush that fails: %v", err)
	}
	if err := os.WriteFile(filepath.Join(top, "file"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"file", filepath.Join("file", "below")} {
		if err := MakeDir(filepath.Join(top, dir)); !errors.As(err, &e) || !errors.Is(err, errNoFolder) {
			t.Errorf("%s: %v, want %v", dir, err, errNoFolder)
		}
	}
}
