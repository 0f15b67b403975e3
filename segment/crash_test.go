package segment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// trial is a download over several lives of the program, on a disk that fails it.
type trial struct {
	t        *testing.T
	what     string // was done to it
	data     []byte
	manifest *Manifest
	old      []byte // what is under the final name before; nil: nothing
	disk     *faultyDisk

	fetched int // segments that were written and marked, in all lives
}

func newTrial(t *testing.T, data, old []byte, seed uint64) *trial {
	t.Helper()
	dir := t.TempDir()
	if old != nil {
		writeFile(t, filepath.Join(dir, "film.avi"), old)
	}
	return &trial{t: t, data: data, manifest: manifestOf(t, data), old: old, disk: newFaultyDisk(t, dir, seed)}
}

// live does what a client with -r does, and ends as one does, by itself or not.
func (c *trial) live(most int) error {
	ctx := context.Background()
	c.disk.calls = 0
	p, err := resumeOn(ctx, c.disk, c.disk.dir, "film.avi")
	if errors.Is(err, ErrNoState) {
		same, _, err := CheckExisting(ctx, filepath.Join(c.disk.dir, "film.avi"), c.manifest)
		if same != nil || err != nil {
			return err
		}
		p, err = createOn(c.disk, c.disk.dir, "film.avi", c.manifest, false)
		if err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	defer p.Close()
	p.Overwrite = true
	if err := p.markClaimed(ctx); err != nil {
		return err
	}
	c.honest(p)
	for _, i := range c.disk.rng.Perm(p.manifest.layout.Count()) {
		switch {
		case p.Have(i):
			continue
		case most == 0:
			return nil
		}
		if err := p.Write(Run{i, 1}, piece(c.data, p.manifest.layout, i)); err != nil {
			return err
		}
		p.Mark(Run{i, 1})
		if !c.dead() {
			c.fetched++
		}
		most--
	}
	_, err = p.Finish()
	return err
}

// dead reports whether the program could not do anything any more.
func (c *trial) dead() bool {
	return c.disk.fault != nil && c.disk.fault(c.disk.calls+1, "") == errDead
}

// all is more segments than there are.
const all = 1 << 30

// honest holds that all that is had is there, and right.
func (c *trial) honest(p *Part) {
	c.t.Helper()
	b, err := os.ReadFile(p.Path())
	if err != nil {
		c.t.Fatal(err)
	}
	l := p.manifest.layout
	var had int64
	for i := range l.Count() {
		if !p.Have(i) {
			continue
		}
		had += int64(l.Len(i))
		if !bytes.Equal(piece(b, l, i), piece(c.data, l, i)) {
			c.t.Fatalf("%s: segment %d is taken for had, and is not there", c.what, i)
		}
	}
	if had != p.HaveBytes() {
		c.t.Fatalf("%s: %d bytes had, counted %d", c.what, had, p.HaveBytes())
	}
}

// whole holds that under the final name there is the whole file, or what was there before.
func (c *trial) whole() {
	c.t.Helper()
	got, err := os.ReadFile(filepath.Join(c.disk.dir, "film.avi"))
	switch {
	case errors.Is(err, fs.ErrNotExist) && c.old == nil:
	case err != nil:
		c.t.Fatalf("%s: %v", c.what, err)
	case !bytes.Equal(got, c.data) && (c.old == nil || !bytes.Equal(got, c.old)):
		c.t.Fatalf("%s: under the final name there is something else", c.what)
	}
}

// cut has the power fail and come back.
func (c *trial) cut(seed uint64) {
	c.t.Helper()
	c.disk = newFaultyDisk(c.t, c.disk.powerCut(c.t), seed)
	c.whole()
}

// completes lets a last life do without faults, and then cuts the power: what
// Finish has reported is there.
func (c *trial) completes() {
	c.t.Helper()
	c.disk.fault, c.disk.room = nil, 1<<30
	if err := c.live(all); err != nil {
		c.t.Fatalf("%s: the last life: %v", c.what, err)
	}
	c.finished()
	c.cut(0)
	c.finished()
}

func (c *trial) finished() {
	c.t.Helper()
	got, err := os.ReadFile(filepath.Join(c.disk.dir, "film.avi"))
	if err != nil || !bytes.Equal(got, c.data) {
		c.t.Fatalf("%s: at the end the file is wrong: %v", c.what, err)
	}
	if _, err := os.Lstat(filepath.Join(c.disk.dir, "film.avi.part")); err == nil {
		c.t.Fatalf("%s: the part file is still there", c.what)
	}
}

// crashSize is four segments, the last one short.
const crashSize = 49_200

var olds = map[string][]byte{"new file": nil, "overwriting": bytes.Repeat([]byte("old"), 10_000)}

// The power is cut before every single call, and each time several different parts of
// what was not flushed have come through.
func TestPowerCutAtEveryCall(t *testing.T) {
	data := random(crashSize)
	for name, old := range olds {
		t.Run(name, func(t *testing.T) {
			cuts := 0
			for call, survived := 1, false; !survived; call++ {
				for seed := range uint64(4) {
					c := newTrial(t, data, old, seed)
					c.what = fmt.Sprintf("cut before call %d, seed %d", call, seed)
					c.disk.fault = dieAt(call)
					err := c.live(all)
					survived = err == nil && c.disk.calls < call
					cuts++
					c.cut(seed)
					if survived {
						c.finished() // as it has said
					}
					c.completes()
				}
			}
			if cuts < 4*20 {
				t.Errorf("only %d cuts: the disk is not in use", cuts)
			}
		})
	}
}

// Every single call fails once, in a download from nothing, in one that goes on, and in
// one that is interrupted. What was marked is kept, and nothing but the rest is fetched
// afterwards.
func TestErrorAtEveryCall(t *testing.T) {
	data := random(crashSize)
	count := manifestOf(t, data).Layout().Count()
	for _, lives := range []struct{ before, then int }{{0, all}, {2, all}, {0, 2}} {
		for seed, errno := range []error{syscall.ENOSPC, syscall.EIO, syscall.EROFS} {
			t.Run(fmt.Sprintf("%v, %d had", errno, lives), func(t *testing.T) {
				failed := 0
				for call, met := 1, true; met; call++ {
					c := newTrial(t, data, nil, uint64(1000*seed+call))
					c.what = fmt.Sprintf("call %d fails", call)
					if lives.before > 0 {
						if err := c.live(lives.before); err != nil {
							t.Fatal(err)
						}
					}
					c.disk.fault = failAt(call, errno)
					err := c.live(lives.then)
					met = c.disk.calls >= call
					var disk *DiskError
					if err != nil && (!errors.As(err, &disk) || !errors.Is(err, errno)) {
						t.Fatalf("%s: %v, want a *DiskError", c.what, err)
					}
					if err != nil {
						failed++
					}
					c.whole()
					failing := c.disk // completes takes another
					c.completes()
					again := c.fetched - count
					switch {
					case again <= 0:
					case failing.lost: // what was not flushed, and cannot be read
					case lives.before > 0 && again == 1: // what could not be read back
					default:
						t.Errorf("%s: %d segments fetched, there are %d", c.what, c.fetched, count)
					}
				}
				if failed < 6 {
					t.Errorf("only %d calls have made it fail", failed)
				}
			})
		}
	}
}

// The disk has room for any number of pages, from none to enough, and then is full.
func TestDiskFullAtAnyPage(t *testing.T) {
	data := random(crashSize)
	count := manifestOf(t, data).Layout().Count()
	full := 0
	for room, fits := 0, false; !fits; room++ {
		c := newTrial(t, data, nil, uint64(room))
		c.what = fmt.Sprintf("room for %d pages", room)
		c.disk.room = room
		err := c.live(all)
		fits = err == nil
		var disk *DiskError
		if !fits && (!errors.As(err, &disk) || !errors.Is(err, syscall.ENOSPC)) {
			t.Fatalf("%s: %v, want a *DiskError of no space", c.what, err)
		}
		if !fits {
			full++
			if err := c.live(all); !errors.Is(err, syscall.ENOSPC) { // no room was made
				t.Fatalf("%s: again: %v", c.what, err)
			}
		}
		c.whole()
		c.completes()
		if c.fetched != count {
			t.Errorf("%s: %d segments fetched, there are %d", c.what, c.fetched, count)
		}
	}
	if full < crashSize/page {
		t.Errorf("full %d times", full)
	}
}

// A disk that has failed to flush reads back well from memory, flushes well the next time, and has
// not got the data: only what is written or fetched once more is there after a power cut.
func TestFailedFlushIsNotTrusted(t *testing.T) {
	data := random(crashSize)
	for seed := range uint64(20) {
		c := newTrial(t, data, nil, seed)
		c.what = fmt.Sprintf("seed %d", seed)
		deaf := seed%2 == 0 // as systems that cannot forget
		c.disk.deaf = deaf
		syncs := 0
		c.disk.fault = func(_ int, op string) error {
			if op == "sync" {
				if syncs++; syncs == 1 {
					return syscall.EIO
				}
			}
			return nil
		}
		if err := c.live(all); !errors.Is(err, syscall.EIO) {
			t.Fatalf("Finish: %v", err)
		}
		c.completes()                       // which cuts the power
		want := c.manifest.Layout().Count() // written once more, as they read well
		if !deaf {
			want *= 2 // fetched once more, as they do not
		}
		if c.fetched != want {
			t.Errorf("%s: %d segments fetched, want %d", c.what, c.fetched, want)
		}
	}
}

// A download lives several times, and each time something else goes wrong.
func TestManyLives(t *testing.T) {
	data := random(crashSize)
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 2))
		c := newTrial(t, data, olds[[]string{"new file", "overwriting"}[rng.IntN(2)]], seed)
		for range 1 + rng.IntN(5) {
			at, errno := 1+rng.IntN(24), []error{syscall.ENOSPC, syscall.EIO}[rng.IntN(2)]
			how := []string{"power", "kill", "error", "full"}[rng.IntN(4)]
			c.what += fmt.Sprintf("seed %d: %s at %d (%v); ", seed, how, at, errno)
			c.disk.fault, c.disk.room = nil, 1<<30
			switch how {
			case "power", "kill":
				c.disk.fault = dieAt(at)
			case "error":
				c.disk.fault = failAt(at, errno)
			case "full":
				c.disk.room = at
			}
			c.live(all) // whether it fails is not the point
			c.whole()
			if how == "power" {
				c.cut(seed)
			}
		}
		c.completes()
	}
}

// From 16 MiB on a download is worth an fsync: it goes on after a power cut right
// after its start, with what has come through.
func TestLargeDownloadSurvivesPowerCut(t *testing.T) {
	data := random(syncFrom + 1)
	for seed := range uint64(4) {
		c := newTrial(t, data, nil, seed)
		if err := c.live(100); err != nil {
			t.Fatal(err)
		}
		c.cut(seed)
		p, err := resumeOn(context.Background(), c.disk, c.disk.dir, "film.avi")
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if err := p.markClaimed(context.Background()); err != nil {
			t.Fatal(err)
		}
		c.honest(p)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A kill or a power cut before Decide leaves nothing that could be taken for a download that is
// wanted; one after it costs nothing that was marked before.
func TestCrashAroundDecide(t *testing.T) {
	data := random(crashSize)
	for _, decides := range []bool{false, true} {
		for seed := range uint64(10) {
			c := newTrial(t, data, nil, seed)
			c.what = fmt.Sprintf("decides %t, seed %d", decides, seed)
			p, err := createOn(c.disk, c.disk.dir, "film.avi", c.manifest, true)
			if err != nil {
				t.Fatal(err)
			}
			fetch(t, p, data, 0, 1)
			if decides {
				if err := p.Decide(); err != nil {
					t.Fatal(err)
				}
				fetch(t, p, data, 2)
			}
			if err := p.Checkpoint(); err != nil {
				t.Fatal(err)
			}
			p.file.Close()
			p.state.release()
			if !decides && seed > 0 {
				c.cut(seed)
			}
			if _, _, err := PeekState(c.disk.dir, "film.avi"); errors.Is(err, ErrNoState) == decides {
				t.Fatalf("%s: PeekState: %v", c.what, err)
			}
			p, err = resumeOn(context.Background(), c.disk, c.disk.dir, "film.avi")
			if err == nil {
				err = p.markClaimed(context.Background())
			}
			switch {
			case !decides && !errors.Is(err, ErrNoState):
				t.Fatalf("%s: Resume: %v", c.what, err)
			case decides && (err != nil || p.missing != c.manifest.Layout().Count()-3):
				t.Fatalf("%s: %v, or too little is had", c.what, err)
			case decides:
				c.honest(p)
				p.Close()
			}
			c.completes()
		}
	}
}

// A bad sector in the part file costs the segment that it is in.
func TestBadSectorIsFetchedAgain(t *testing.T) {
	data := random(crashSize)
	c := newTrial(t, data, nil, 1)
	if err := c.live(3); err != nil {
		t.Fatal(err)
	}
	reads := 0
	c.disk.fault = func(_ int, op string) error {
		if op == "read" {
			if reads++; reads == 5 { // after the state file
				return syscall.EIO
			}
		}
		return nil
	}
	if err := c.live(all); err != nil {
		t.Fatal(err)
	}
	c.finished()
	if want := c.manifest.Layout().Count() + 1; c.fetched != want {
		t.Errorf("%d segments fetched, want %d", c.fetched, want)
	}
}
