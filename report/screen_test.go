package report

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// newScreen returns a Screen that has shown what it is given when its methods return.
func newScreen(t *testing.T, stdout io.Writer, live *Live) *Screen {
	t.Helper()
	s := NewScreen(stdout, live)
	s.blocks.wait(t.Context())
	s.events.wait(t.Context())
	t.Cleanup(func() { s.Close(t.Context()) })
	return s
}

func TestEventsAreOneCleanLine(t *testing.T) {
	var stderr writes
	e := newScreen(t, &stderr, NewLive(&stderr, Terminal{}, false)).Events()
	e.Printf("server 1 (%s): %v", "h\x1b[2J:1", errors.New("two\nlines"))
	e.Printf("%s", strings.Repeat("x", 5000))
	compare(t, stderr.all, []string{
		"server 1 (h?[2J:1): two?lines\n",
		strings.Repeat("x", eventLimit-3) + "…\n",
	})
}

// Reports, events and the live area come from several goroutines.
func TestScreenConcurrently(t *testing.T) {
	m := newScreenModel(t, 100, 30) // not safe by itself: -race tells if the lock is missing
	s := newScreen(t, m, NewLive(m, m.terminal(), true))
	d := newDownloadWriter(t, "text", s.Stdout())
	events := s.Events()
	const goroutines, rounds = 6, 50
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range rounds {
				switch g % 3 {
				case 0:
					d.Progress(sampleProgress)
				case 1:
					events.Printf("event %d", i)
				case 2:
					s.Draw(sampleProgress)
				}
			}
		})
	}
	wg.Wait()
	s.Finish(t.Context())
	counts := map[string]int{}
	lines := m.text()
	for i, line := range lines {
		kind, _, _ := strings.Cut(line, " ")
		counts[kind]++
		if strings.HasPrefix(line, "Server 1:") && !strings.HasPrefix(lines[i+2], "Total:") {
			t.Errorf("a block was torn: %q", lines[i:i+3])
		}
	}
	want := map[string]int{"Server": 2 * 2 * rounds, "Total:": 2 * rounds, "event": 2 * rounds}
	if fmt.Sprint(counts) != fmt.Sprint(want) {
		t.Errorf("lines on the terminal: %v, want %v", counts, want)
	}
}

// The error of a stdout that was closed reaches the reporter through the Screen.
func TestScreenStdoutGone(t *testing.T) {
	var stderr writes
	s := newScreen(t, &writes{limit: 1}, NewLive(&stderr, window(80, 24), true))
	d := newDownloadWriter(t, "text", s.Stdout())
	d.Progress(sampleProgress)
	if err := d.Err(); !errors.Is(err, errGone) {
		t.Errorf("got %v", err)
	}
	s.Draw(sampleProgress)
	if len(stderr.all) != 1 {
		t.Errorf("the bar went with stdout: %q", stderr.all)
	}
}

func TestTerminalIsNoFile(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if terminal := TerminalOf(f); terminal.Size != nil || terminal.Colour || terminal.Unicode {
		t.Errorf("a file passes for a terminal: %+v", terminal)
	}
}

func TestUnicodeLocale(t *testing.T) {
	for _, c := range []struct {
		system, all, ctype, lang string
		want                     bool
	}{
		{"linux", "", "", "en_GB.UTF-8", true}, {"linux", "", "", "de_DE.utf8", true}, {"linux", "", "", "", false},
		{"linux", "", "", "C", false}, {"linux", "C", "", "en_GB.UTF-8", false}, {"linux", "", "POSIX", "en_GB.UTF-8", false},
		{"linux", "", "C.UTF-8", "", true}, {"darwin", "", "", "de_DE.ISO8859-1", false}, {"windows", "", "", "", true},
	} {
		env := map[string]string{"LC_ALL": c.all, "LC_CTYPE": c.ctype, "LANG": c.lang}
		if got := unicodeLocale(c.system, func(name string) string { return env[name] }); got != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}

// TestScreenStdoutNotRead has a stdout that is read an hour after the end: some blocks between are
// missing, the last one and the result are there, and stderr was not kept waiting.
func TestScreenStdoutNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stdout, stderr writes
		l := &late{open: make(chan struct{}), w: &stdout}
		s := NewScreen(l, NewLive(&stderr, Terminal{}, false))
		d, events := newDownloadWriter(t, "text", s.Stdout()), s.Events()
		var told []string
		for i := range 500 {
			d.Progress(Progress{Bytes: int64(i)})
			events.Printf("event %d", i)
			s.Draw(sampleProgress)
			told = append(told, fmt.Sprintf("event %d\n", i))
		}
		synctest.Wait()
		compare(t, stderr.all, told)

		time.AfterFunc(time.Hour, func() { close(l.open) })
		s.Finish(t.Context())
		d.Progress(Progress{Bytes: 999})
		if err := d.Result(sampleResult); err != nil {
			t.Error(err)
		}
		s.Close(t.Context())
		all := stdout.all
		want := []string{string(textProgress(Progress{Bytes: 999})), string(textResult(sampleResult))}
		if n := len(all); n < 2+blockBacklog || n > 3+blockBacklog || !slices.Equal(all[n-2:], want) {
			t.Errorf("%d blocks, the last are %q", n, all[max(0, n-2):])
		}
		for i, block := range all[:blockBacklog] {
			if block != string(textProgress(Progress{Bytes: int64(i)})) {
				t.Errorf("block %d is %q", i, block)
			}
		}
	})
}

// TestScreenHalted has a terminal that is halted and let go on: it shows whole lines, every event
// and the area below them.
func TestScreenHalted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newScreenModel(t, 80, 24)
		l := &late{open: make(chan struct{}), w: m}
		live := NewLive(l, m.terminal(), true)
		s := NewScreen(l, live)
		d, events := newDownloadWriter(t, "text", s.Stdout()), s.Events()
		for i := range 500 {
			s.Draw(sampleProgress)
			d.Progress(Progress{Bytes: int64(i)})
			events.Printf("event %d", i)
		}
		time.Sleep(time.Hour)
		close(l.open)
		synctest.Wait()
		lines := m.text()
		if area := live.lines(79, 24); !slices.Equal(lines[len(lines)-len(area):], area) {
			t.Errorf("the area is not below: %q", lines[len(lines)-len(area):])
		}
		s.Finish(t.Context())
		events.Printf("the end")
		s.Close(t.Context())
		told := 0
		for _, line := range m.text() {
			switch {
			case line == fmt.Sprintf("event %d", told):
				told++
			case line == "the end":
			case line != strings.TrimSpace(string(textProgress(Progress{Bytes: int64(told)}))):
				t.Errorf("after %d events it shows %q", told, line)
			}
		}
		if told != 500 {
			t.Errorf("%d events are told", told)
		}
	})
}

// TestScreenInterrupted has outputs that are never read. Who waits after Finish does so until the
// signal and no longer.
func TestScreenInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, k := &late{open: make(chan struct{}), w: io.Discard}, &late{open: make(chan struct{}), w: io.Discard}
		s := NewScreen(l, NewLive(k, Terminal{}, true))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		begun := time.Now()
		s.Draw(sampleProgress)
		s.Finish(ctx)
		newDownloadWriter(t, "text", s.Stdout()).Progress(sampleProgress)
		s.Events().Printf("event")
		s.Close(ctx)
		if took := time.Since(begun); took < time.Hour || took > time.Hour+2*goodbye {
			t.Errorf("it took %v", took)
		}
		close(l.open)
		close(k.open)
	})
}

func TestOnePlace(t *testing.T) {
	folder := t.TempDir()
	open := func(name string) *os.File {
		f, err := os.OpenFile(filepath.Join(folder, name), os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	one, again, other := open("one"), open("one"), open("other")
	gone := open("gone")
	gone.Close()
	var a, b writes
	for _, c := range []struct {
		a, b io.Writer
		want bool
	}{
		{one, one, true}, {one, again, true}, {one, other, false}, {one, gone, false},
		{&a, &a, true}, {&a, &b, false}, {one, &a, false}, {io.Discard, &a, false},
	} {
		if got := onePlace(c.a, c.b); got != c.want {
			t.Errorf("%v, %v: got %v", c.a, c.b, got)
		}
	}
}
