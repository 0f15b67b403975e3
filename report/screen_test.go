package report

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// terminal is what a person sees: it wraps as soon as the last column is
// written (as some do), and knows \r, \n and "erase to the end of the line".
type terminal struct {
	t       *testing.T
	columns int
	lines   []string // the last one is where the cursor is
	column  int
}

func newTerminal(t *testing.T, columns int) *terminal {
	return &terminal{t: t, columns: columns, lines: []string{""}}
}

func (m *terminal) newline() {
	m.lines, m.column = append(m.lines, ""), 0
}

func (m *terminal) Write(p []byte) (int, error) {
	for s := string(p); s != ""; {
		line := &m.lines[len(m.lines)-1]
		switch {
		case strings.HasPrefix(s, "\x1b[K"):
			*line = (*line)[:min(m.column, len(*line))]
			s = s[3:]
			continue
		case s[0] == '\r':
			m.column = 0
		case s[0] == '\n':
			m.newline()
		case s[0] < ' ' || s[0] > '~':
			m.t.Errorf("the terminal was sent %q", s)
			return len(p), nil
		default:
			cells := []byte(*line + strings.Repeat(" ", max(0, m.column+1-len(*line))))
			cells[m.column] = s[0]
			*line = string(cells)
			if m.column++; m.column == m.columns {
				m.newline()
			}
		}
		s = s[1:]
	}
	return len(p), nil
}

// Blocks and events are never mangled by the bar on the same terminal, and the
// bar stands below them, in one line, from the first drawing to Close.
func TestScreenOnOneTerminal(t *testing.T) {
	for columns := 2; columns <= 130; columns++ {
		random := rand.New(rand.NewPCG(1, uint64(columns)))
		m := newTerminal(t, columns)
		s := NewScreen(m, NewBar(m, func() int { return columns }, true))
		c := newClient(t, "text", s.Stdout())
		events := s.Events()
		plain := newTerminal(t, columns) // the same without a bar
		p := Progress{Size: 1e9, Left: -1, Servers: []Server{{Number: 1}, {Number: 2}}}
		drawn := false
		for range 100 {
			switch random.IntN(3) {
			case 0:
				c.Progress(p)
				fmt.Fprintf(plain, "%s", textProgress(p))
			case 1:
				events.Printf("server %d: lost", p.Bytes)
				fmt.Fprintf(plain, "server %d: lost\n", p.Bytes)
			case 2:
				p.Bytes += random.Int64N(2e7)
				p.Left = time.Duration(random.Int64N(int64(200 * time.Hour)))
				s.Draw(p)
				drawn = true
			}
			want := slices.Clone(plain.lines)
			if drawn {
				want[len(want)-1] = barLine(p, columns-1)
			}
			if !slices.Equal(m.lines, want) {
				t.Fatalf("%d columns: the terminal shows\n%q\nwant\n%q", columns, m.lines, want)
			}
		}
		s.Close()
		if !slices.Equal(m.lines, plain.lines) || m.column != 0 {
			t.Fatalf("%d columns: the end is %q", columns, m.lines[len(m.lines)-1])
		}
	}
}

func TestEventsAreOneCleanLine(t *testing.T) {
	var stderr writes
	e := NewScreen(&stderr, NewBar(&stderr, nil, false)).Events()
	e.Printf("server 1 (%s): %v", "h\x1b[2J:1", errors.New("two\nlines"))
	e.Printf("%s", strings.Repeat("x", 5000))
	compare(t, stderr.all, []string{
		"server 1 (h?[2J:1): two?lines\n",
		strings.Repeat("x", eventLimit-3) + "…\n",
	})
}

// Reports, events and the bar come from several goroutines.
func TestScreenConcurrently(t *testing.T) {
	m := newTerminal(t, 100) // not safe by itself: -race tells if the lock is missing
	s := NewScreen(m, NewBar(m, func() int { return 100 }, true))
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
	for i, line := range m.lines {
		kind, _, _ := strings.Cut(line, " ")
		counts[kind]++
		if strings.HasPrefix(line, "Server 1:") && !strings.HasPrefix(m.lines[i+2], "Total:") {
			t.Errorf("a block was torn: %q", m.lines[i:i+3])
		}
	}
	want := map[string]int{"Server": 2 * 2 * rounds, "Total:": 2 * rounds, "event": 2 * rounds, "": 1}
	if fmt.Sprint(counts) != fmt.Sprint(want) {
		t.Errorf("lines on the terminal: %v, want %v", counts, want)
	}
}

// The error of a stdout that was closed reaches the reporter through the Screen.
func TestScreenStdoutGone(t *testing.T) {
	var stderr writes
	s := NewScreen(&writes{limit: 1}, NewBar(&stderr, nil, true))
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
	width, ok := Terminal(f)
	if ok || width() != 0 {
		t.Errorf("a file passes for a terminal: %v, width %d", ok, width())
	}
}
