package client_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"braid/client"
	"braid/segment"
)

func resume(c *client.Config) { c.Resume = true }

// interrupt runs a client for a while and then cancels it.
func (w *world) interrupt(n int, after time.Duration, change ...func(*client.Config)) *run {
	w.t.Helper()
	r := w.start(n, change...)
	select {
	case <-r.done:
	case <-time.After(after):
		r.cancel()
	}
	r.wait()
	var e *client.InterruptedError
	if !errors.As(r.err, &e) {
		w.t.Fatalf("interrupted after %v: %v\n%s", r.took, r.err, r.stderr.String())
	}
	return r
}

// disk holds that a run has ended with a DiskError that names parts.
func (r *run) disk(parts ...string) *run {
	r.w.t.Helper()
	return failedWith[*segment.DiskError](r, parts)
}

func TestInterruptAndResume(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		w.three(data)
		first := w.interrupt(3, 3*time.Second)
		part := filepath.Join(w.out(), "f.bin.part")
		if want := "interrupted; the state is saved in " + part + ", -r goes on from there"; first.err.Error() != want {
			t.Errorf("%v, want %s", first.err, want)
		}
		if first.took > 3*time.Second {
			t.Errorf("ended %v after the interrupt", first.took-3*time.Second)
		}
		r := w.download(3, resume).complete("f.bin", data).wasted(64 << 10)
		resumed := r.result().Resumed
		// 600 kB/s for 3 s, less what was under way.
		if resumed < 1600*kB || resumed > 1800*kB {
			t.Errorf("resumed %d bytes", resumed)
		}
		r.told(fmt.Sprintf("resumed: %d of %d bytes of f.bin are there and verified", resumed, size), 1)
		r.within(1.15, size-int(resumed), 600*kB)
	})
}

// TestInterruptedAgainAndAgain resumes many times.
func TestInterruptedAgainAndAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		w.three(data)
		for range 6 {
			w.interrupt(3, 900*time.Millisecond, resume)
		}
		r := w.download(3, resume).complete("f.bin", data)
		if n := r.result().Resumed; n < 2*MB {
			t.Errorf("6 runs of 0.9 s at 600 kB/s have left %d bytes", n)
		}
	})
}

func TestInterruptedBeforeAnything(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		for _, h := range w.three(data) {
			h.hang = true
		}
		r := w.interrupt(3, time.Second)
		if !strings.Contains(r.err.Error(), "before anything was downloaded") {
			t.Error(r.err)
		}
		r.empty()
	})
}

// TestInterruptedBeforeTheResume leaves what an earlier run had, and says so.
func TestInterruptedBeforeTheResume(t *testing.T) {
	for name, change := range map[string]func(*client.Config){"with -r": resume, "without": func(*client.Config) {}} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				data := content(size, 1)
				h := w.three(data)
				w.interrupt(3, 3*time.Second)
				for _, h := range h {
					h.hang = true
				}
				if r := w.interrupt(3, time.Second, change); !strings.Contains(r.err.Error(), "as it was, -r goes on from there") {
					t.Error(r.err)
				}
				for _, h := range h {
					h.hang = false
				}
				if n := w.download(3, resume).complete("f.bin", data).result().Resumed; n < 1500*kB {
					t.Errorf("resumed %d", n)
				}
			})
		})
	}
}

// TestResumeUnderAnotherName has copies of one content that have different names.
func TestResumeUnderAnotherName(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		one := w.serve(1, w.file("a.bin", data), 200*kB, 20*time.Millisecond)
		two := w.serve(2, w.file("b.bin", data), 200*kB, 20*time.Millisecond)
		one.hang = true
		w.interrupt(2, 5*time.Second)
		one.hang, two.hang = false, true
		if n := w.download(2, resume).complete("b.bin", data).result().Resumed; n < 800*kB {
			t.Errorf("resumed %d", n)
		}
	})
}

// TestTimeLeftAfterResume holds that what was found on disk is no speed.
func TestTimeLeftAfterResume(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		w.serve(1, w.file("f.bin", data), 200*kB, 300*time.Millisecond)
		w.interrupt(1, 12*time.Second)
		r := w.download(1, resume).complete("f.bin", data)
		for _, b := range r.blocks() {
			want := float64(b.Size-b.Bytes) / (200 * kB)
			if b.Type == "progress" && b.Elapsed > 3 && b.Left < 0.6*want {
				t.Errorf("at %.1f s: %.1f s left, want %.1f", b.Elapsed, b.Left, want)
			}
		}
	})
}

func TestCorruptedPartIsFetchedAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		w.three(data)
		w.interrupt(3, 3*time.Second)
		part := filepath.Join(w.out(), "f.bin.part")
		b, err := os.ReadFile(part)
		if err != nil {
			t.Fatal(err)
		}
		// Three segments that are there are damaged.
		damaged := 0
		for at := 0; at+16<<10 <= size && damaged < 3; at += 16 << 10 {
			if bytes.Equal(b[at:at+16<<10], data[at:at+16<<10]) {
				b[at+100] ^= 1
				damaged++
			}
		}
		if damaged < 3 {
			t.Fatal("nothing is there")
		}
		if err := os.WriteFile(part, b, 0o666); err != nil {
			t.Fatal(err)
		}
		good := 0
		for at := 0; at < size; at += 16 << 10 {
			if end := min(at+16<<10, size); bytes.Equal(b[at:end], data[at:end]) {
				good += end - at
			}
		}
		r := w.download(3, resume).complete("f.bin", data)
		if n := r.result().Resumed; n > int64(good) || n < 1500*kB {
			t.Errorf("resumed %d bytes, %d are good", n, good)
		}
	})
}

// TestStateAlone has no part file to the state file: nobody wants what that was of.
func TestStateAlone(t *testing.T) {
	inWorld(t, func(w *world) {
		was, now := content(size, 1), content(size, 2)
		w.serve(1, w.file("f.bin", was), 200*kB, 20*time.Millisecond)
		w.interrupt(1, 3*time.Second)
		if err := os.Remove(filepath.Join(w.out(), "f.bin.part")); err != nil {
			t.Fatal(err)
		}
		w.serve(1, w.file("f.bin", now), 200*kB, 20*time.Millisecond)
		w.download(1, resume).complete("f.bin", now)
	})
}

// TestTornState has a state file that says nothing any more, or none: all of the part file is looked at.
func TestTornState(t *testing.T) {
	for name, test := range map[string]struct {
		tear func(state string) error
		told int
	}{
		"cut":       {func(state string) error { return os.Truncate(state, 50) }, 1},
		"empty":     {func(state string) error { return os.Truncate(state, 0) }, 1},
		"of others": {func(state string) error { return os.WriteFile(state, content(10*kB, 9), 0o666) }, 1},
		"gone":      {os.Remove, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				data := content(size, 1)
				w.three(data)
				blocks := w.interrupt(3, 3*time.Second).blocks()
				had := blocks[len(blocks)-1].Bytes
				if err := test.tear(filepath.Join(w.out(), "f.bin.part.state")); err != nil {
					t.Fatal(err)
				}
				r := w.download(3, resume).complete("f.bin", data).
					told("cannot resume by the state file, reading back all of the part file", test.told).told("dropped", 0)
				if got := r.result().Resumed; got < had {
					t.Errorf("resumed %d bytes, %d were there", got, had)
				}
			})
		})
	}
}

// TestTornStateOfAnotherFile has a part file of which nothing verifies.
func TestTornStateOfAnotherFile(t *testing.T) {
	inWorld(t, func(w *world) {
		was, now := content(size, 1), content(size, 2)
		w.serve(1, w.file("f.bin", was), 200*kB, 20*time.Millisecond)
		w.interrupt(1, 3*time.Second)
		if err := os.Remove(filepath.Join(w.out(), "f.bin.part.state")); err != nil {
			t.Fatal(err)
		}
		w.serve(2, w.file("f.bin", now), 200*kB, 20*time.Millisecond)
		w.download(1, resume, func(c *client.Config) { c.Ports = []int{9002} }).complete("f.bin", now).mentioned("resumed: 0 of 4000000 bytes")
	})
}

func TestWithoutResumeThePartialIsDropped(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		w.three(data)
		w.interrupt(3, 3*time.Second)
		r := w.download(3).complete("f.bin", data).told("dropped the partial download of an earlier run, f.bin.part (-r would have gone on with it)", 1)
		if r.result().Resumed != 0 {
			t.Error("resumed without -r")
		}
	})
}

func TestResumeOfNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		w.three(data)
		w.download(3, resume).complete("f.bin", data).within(1.1, size, 600*kB)
	})
}

// TestResumeBesideAnotherPartial has a partial of another name in the folder.
func TestResumeBesideAnotherPartial(t *testing.T) {
	inWorld(t, func(w *world) {
		data, other := content(size, 1), content(size, 2)
		w.three(data)
		w.serve(4, w.file("g.bin", other), 200*kB, 20*time.Millisecond)
		w.interrupt(4, 3*time.Second, func(c *client.Config) { c.Ports, c.Addresses = c.Ports[3:], c.Addresses[3:] })
		r := w.download(3, resume)
		if r.err != nil {
			t.Fatal(r.err)
		}
		if got, err := os.ReadFile(filepath.Join(w.out(), "f.bin")); err != nil || !bytes.Equal(got, data) {
			t.Error(err)
		}
		if !segment.Leftover(w.out(), "g.bin") {
			t.Error("the other partial is gone")
		}
	})
}

func TestResumeOfACompleteFile(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		w.three(data)
		w.download(3).complete("f.bin", data)
		r := w.download(3, resume).complete("f.bin", data).told("is complete already: all of it verifies", 1)
		if r.took > time.Second || r.result().Resumed != size {
			t.Errorf("took %v: %+v", r.took, r.result())
		}
	})
}

func TestAgainWithoutResume(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		w.three(data)
		w.download(3).complete("f.bin", data)
		w.download(3).complete("f.bin", data)
	})
}

// TestAgainWhileTheFileIsEdited fetches once more what is there, and leaves what has become of it meanwhile.
func TestAgainWhileTheFileIsEdited(t *testing.T) {
	inWorld(t, func(w *world) {
		data, mine := content(size, 1), content(size, 2)
		w.three(data)
		w.download(3).complete("f.bin", data)
		path := filepath.Join(w.out(), "f.bin")
		w.at(w.now()+2*time.Second, func() {
			if err := os.WriteFile(path, mine, 0o666); err != nil {
				t.Error(err)
			}
		})
		w.download(3).disk(path, "there is a file of this name already", "what has verified is kept")
		if got, _ := os.ReadFile(path); !bytes.Equal(got, mine) {
			t.Error("the file is not what it was")
		}
	})
}

// TestResumeBesideTheFile has a run without -r that was interrupted when it fetched once more what is there.
func TestResumeBesideTheFile(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		w.three(data)
		w.download(3).complete("f.bin", data)
		w.interrupt(3, 2*time.Second)
		w.download(3, resume).complete("f.bin", data).told("is complete already: all of it verifies", 1)
	})
}

// TestResumeBesideAnotherFile says at once that the file is in the way, not after the download.
func TestResumeBesideAnotherFile(t *testing.T) {
	inWorld(t, func(w *world) {
		data, mine := content(size, 1), content(size, 2)
		w.three(data)
		w.interrupt(3, 3*time.Second)
		path := filepath.Join(w.out(), "f.bin")
		if err := os.WriteFile(path, mine, 0o666); err != nil {
			t.Fatal(err)
		}
		if r := w.download(3, resume).disk(path, "--overwrite replaces it"); r.took > time.Second {
			t.Errorf("took %v", r.took)
		}
		if got, _ := os.ReadFile(path); !bytes.Equal(got, mine) {
			t.Error("the file is not what it was")
		}
		r := w.download(3, resume, func(c *client.Config) { c.Overwrite = true }).complete("f.bin", data)
		if n := r.result().Resumed; n < 1500*kB {
			t.Errorf("resumed %d", n)
		}
	})
}

func TestResumeOfOtherContent(t *testing.T) {
	inWorld(t, func(w *world) {
		was, now := content(size, 1), content(size, 2)
		w.serve(1, w.file("f.bin", was), 200*kB, 20*time.Millisecond)
		w.interrupt(1, 3*time.Second)
		part := filepath.Join(w.out(), "f.bin.part")
		before, _ := os.ReadFile(part)
		w.serve(1, w.file("f.bin", now), 200*kB, 20*time.Millisecond)
		w.download(1, resume).integrity(digest(was), digest(now), "the partial download in the output folder asks for", "without -r that is dropped")
		if after, err := os.ReadFile(part); err != nil || !bytes.Equal(before, after) || !segment.Leftover(w.out(), "f.bin") {
			t.Error("the partial download is not what it was")
		}
		// With the digest it is the same: -r goes on with nothing else.
		w.download(1, resume, func(c *client.Config) { c.Digest = digest(now) }).integrity(digest(was), digest(now))
	})
}

// TestResumeWantsThePartial has most servers offer something else by now.
func TestResumeWantsThePartial(t *testing.T) {
	inWorld(t, func(w *world) {
		was, now := content(size, 1), content(size, 2)
		w.serve(1, w.file("f.bin", was), 200*kB, 20*time.Millisecond)
		w.interrupt(1, 10*time.Second)
		w.serve(2, w.file("f.bin", now), 200*kB, 10*time.Millisecond)
		w.serve(3, w.file("f.bin", now), 200*kB, 10*time.Millisecond)
		r := w.download(3, resume).complete("f.bin", was)
		if r.result().Resumed < 1500*kB {
			t.Errorf("resumed %d", r.result().Resumed)
		}
	})
}

func TestSecondClientIsRefused(t *testing.T) {
	for name, change := range map[string]func(*client.Config){"with -r": resume, "without": func(*client.Config) {}} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				data := content(size, 1)
				w.three(data)
				first := w.start(3)
				time.Sleep(2 * time.Second)
				second := w.download(3, change).disk()
				if !errors.Is(second.err, segment.ErrLocked) || second.took > 2*time.Second {
					t.Errorf("after %v: %v", second.took, second.err)
				}
				first.wait().complete("f.bin", data)
			})
		})
	}
}

func TestExistingFileOfOtherContent(t *testing.T) {
	for _, resuming := range []bool{false, true} {
		t.Run(fmt.Sprint(resuming), func(t *testing.T) {
			inWorld(t, func(w *world) {
				data, mine := content(size, 1), content(size, 2)
				h := w.three(data)
				w.download(3, func(c *client.Config) { c.Output = filepath.Join(w.dir, "elsewhere") }).complete("f.bin", data)
				if err := os.MkdirAll(w.out(), 0o777); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(w.out(), "f.bin")
				if err := os.WriteFile(path, mine, 0o666); err != nil {
					t.Fatal(err)
				}
				before := h[0].dials
				r := w.download(3, func(c *client.Config) { c.Resume = resuming }).disk(path, "--overwrite replaces it")
				if got, _ := os.ReadFile(path); !bytes.Equal(got, mine) {
					t.Error("the file is not what it was")
				}
				r.nothingPartial()
				if r.took > time.Second || h[0].dials != before+1 {
					t.Errorf("took %v and dialled %d times", r.took, h[0].dials-before)
				}
				w.download(3, func(c *client.Config) { c.Overwrite, c.Resume = true, resuming }).complete("f.bin", data)
			})
		})
	}
}

// TestFolderInTheWay is found out before the download, whatever --overwrite and -r say.
func TestFolderInTheWay(t *testing.T) {
	for name, change := range map[string]func(*client.Config){
		"plain":     func(*client.Config) {},
		"overwrite": func(c *client.Config) { c.Overwrite = true },
		"resume":    func(c *client.Config) { c.Overwrite, c.Resume = true, true },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				data := content(size, 1)
				w.three(data)
				w.interrupt(3, 3*time.Second)
				path := filepath.Join(w.out(), "f.bin")
				if err := os.Mkdir(path, 0o777); err != nil {
					t.Fatal(err)
				}
				if r := w.download(3, change).disk(path, "there is a folder of this name"); r.took > time.Second {
					t.Errorf("took %v", r.took)
				}
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				if n := w.download(3, resume).complete("f.bin", data).result().Resumed; n < 1500*kB {
					t.Errorf("resumed %d", n)
				}
			})
		})
	}
}

func TestSizes(t *testing.T) {
	const seg = 16 << 10
	for _, n := range []int{0, 1, seg - 1, seg, seg + 1, 2*seg - 1, 2 * seg, 3*seg + 1, 128 * seg, 128*seg + 1, 129 * seg} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			inWorld(t, func(w *world) {
				data := content(n, 1)
				w.three(data)
				r := w.download(3).complete("f.bin", data)
				// Dial, hello and the first flight.
				if limit := 200*time.Millisecond + time.Duration(1.2*float64(n)/(600*kB)*1e9); r.took > limit {
					t.Errorf("took %v, want at most %v", r.took, limit)
				}
				again := w.download(3, resume).complete("f.bin", data)
				if again.result().Resumed != int64(n) {
					t.Errorf("%+v", again.result())
				}
			})
		})
	}
}

func TestOutputIsNoFolder(t *testing.T) {
	inWorld(t, func(w *world) {
		path := w.file("f.bin", nil)
		w.three(content(1, 1))
		w.download(3, func(c *client.Config) { c.Output = path }).disk(path)
		w.download(3, func(c *client.Config) { c.Output = filepath.Join(path, "deeper") }).disk(path)
	})
}
