package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestEventsAreOneCleanLine(t *testing.T) {
	var stderr writes
	e := NewScreen(&stderr, NewLive(&stderr, Terminal{}, false)).Events()
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
	s := NewScreen(m, NewLive(m, m.terminal(), true))
	c := newClient(t, "text", s.Stdout())
	events := s.Events()
	const goroutines, rounds = 6, 50
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range rounds {
				switch g % 3 {
				case 0:
					c.Progress(sampleProgress)
				case 1:
					events.Printf("event %d", i)
				case 2:
					s.Draw(sampleProgress)
				}
			}
		})
	}
	wg.Wait()
	s.Close()
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
	s := NewScreen(&writes{limit: 1}, NewLive(&stderr, window(80, 24), true))
	c := newClient(t, "text", s.Stdout())
	c.Progress(sampleProgress)
	if err := c.Err(); !errors.Is(err, errGone) {
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
