package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// window is a terminal of a fixed size, without colours.
func window(columns, rows int) Terminal {
	return Terminal{Size: func() (int, int) { return columns, rows }, Unicode: true}
}

// screenModel is what a person sees: a window with scrollback, which wraps as
// soon as the last column is written unless told not to, and knows the control
// sequences that Live sends and no others.
type screenModel struct {
	t             *testing.T
	columns, rows int
	lines         [][]rune // scrollback, and the window as the last rows of it
	row, column   int      // of the cursor, in lines
	wrap          bool
	colours       int // sequences seen
}

func newScreenModel(t *testing.T, columns, rows int) *screenModel {
	return &screenModel{t: t, columns: columns, rows: rows, lines: make([][]rune, 1), wrap: true}
}

func (m *screenModel) terminal() Terminal {
	return Terminal{Size: func() (int, int) { return m.columns, m.rows }, Unicode: true}
}

// text is all lines that are not empty.
func (m *screenModel) text() []string {
	var text []string
	for _, l := range m.lines {
		if s := strings.TrimRight(string(l), " "); s != "" {
			text = append(text, s)
		}
	}
	return text
}

func (m *screenModel) down() {
	if m.row++; m.row == len(m.lines) {
		m.lines = append(m.lines, nil)
	}
}

func (m *screenModel) Write(p []byte) (int, error) {
	for s := string(p); s != ""; {
		r, n := utf8.DecodeRuneInString(s)
		s = s[n:]
		switch {
		case r == '\x1b':
			s = m.control(s)
		case r == '\r':
			m.column = 0
		case r == '\n':
			m.down()
			m.column = 0 // what a Unix terminal makes of it
		case r < ' ' || r == utf8.RuneError:
			m.t.Errorf("the terminal was sent %q", r)
		default:
			m.put(r)
		}
	}
	return len(p), nil
}

func (m *screenModel) put(r rune) {
	if m.column == m.columns {
		m.column-- // wrapping is off: the last column is written over
		m.t.Errorf("column %d was written in a window of %d", m.columns+1, m.columns)
	}
	line := m.lines[m.row]
	for len(line) <= m.column {
		line = append(line, ' ')
	}
	line[m.column] = r
	m.lines[m.row] = line
	if m.column++; m.column == m.columns && m.wrap {
		m.down()
		m.column = 0
	}
}

// control carries out the sequence that s begins with, and returns the rest.
func (m *screenModel) control(s string) string {
	end := strings.IndexAny(s, "ABCDEFGHJKShlm")
	if end < 0 {
		m.t.Fatalf("the terminal was sent ESC %q", s)
	}
	sequence := s[:end+1]
	keep := m.lines[m.row][:min(m.column, len(m.lines[m.row]))]
	switch {
	case sequence == "[K":
		m.lines[m.row] = keep
	case sequence == "[J":
		m.lines[m.row] = keep
		m.lines = m.lines[:m.row+1]
	case sequence == "[?7l":
		m.wrap = false
	case sequence == "[?7h":
		m.wrap = true
	case sequence[end] == 'A':
		n, err := strconv.Atoi(sequence[1:end])
		if err != nil || n < 1 {
			m.t.Errorf("the terminal was sent ESC %q", sequence)
		}
		m.row = max(m.row-n, len(m.lines)-m.rows, 0)
	case sequence[end] == 'm':
		m.colours++
	default:
		m.t.Errorf("the terminal was sent ESC %q", sequence)
	}
	return s[end+1:]
}

// Blocks and events are never mangled by the area on the same terminal, and it
// stands below them from the first drawing to Close, whatever the window and
// however its size changes.
func TestScreenOnOneTerminal(t *testing.T) {
	for columns := 46; columns <= 130; columns += 12 {
		random := rand.New(rand.NewPCG(1, uint64(columns)))
		m := newScreenModel(t, columns, 4+random.IntN(40))
		live := NewLive(m, m.terminal(), true)
		s := newScreen(t, m, live)
		d := newDownloadWriter(t, "text", s.Stdout())
		events := s.Events()
		var plain []string // what there is without the area
		p := Progress{Size: 1e9, Left: -1, Servers: servers(1 + random.IntN(20))}
		for i := range p.Servers {
			p.Servers[i].Address = "h:1"
		}
		drawn := false
		for range 100 {
			switch random.IntN(4) {
			case 0:
				d.Progress(Progress{Bytes: p.Bytes})
				plain = append(plain, strings.TrimSuffix(string(textProgress(Progress{Bytes: p.Bytes})), "\n"))
			case 1:
				events.Printf("server %d: lost", p.Bytes)
				plain = append(plain, fmt.Sprintf("server %d: lost", p.Bytes))
			case 2:
				p.Bytes += random.Int64N(2e7)
				p.Left = time.Duration(random.Int64N(int64(200 * time.Hour)))
				p.Servers = slices.Clone(p.Servers)
				p.Servers[random.IntN(len(p.Servers))].Speed = 1e6 * random.Float64()
				s.Draw(p)
				drawn = true
			case 3:
				m.rows = 4 + random.IntN(40) // heights only: reflowing is the terminal's
				if drawn {
					s.Draw(p)
				}
			}
			want := plain
			if drawn {
				want = append(slices.Clone(plain), live.lines(columns-1, m.rows)...)
			}
			if got := m.text(); !slices.Equal(got, want) {
				t.Fatalf("%d columns, %d rows: the terminal shows\n%s\nwant\n%s", columns, m.rows, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		s.Finish(t.Context())
		if got := m.text(); !slices.Equal(got, plain) || m.column != 0 || m.row != len(m.lines)-1 || !m.wrap {
			t.Fatalf("%d columns: the end is %q, cursor at %d,%d, wrapping %v", columns, got[len(got)-1], m.row, m.column, m.wrap)
		}
	}
}

func servers(n int) []Server {
	var all []Server
	for i := range n {
		all = append(all, Server{Number: i + 1, Address: fmt.Sprintf("192.168.1.%d:9001", i+1), State: "connected"})
	}
	return all
}

func TestTableLines(t *testing.T) {
	p := sampleProgress
	busy := Progress{Size: 1000, Bytes: 500, Speed: 210, Left: time.Second, Servers: servers(20)}
	for i := range busy.Servers {
		busy.Servers[i].Bytes, busy.Servers[i].Speed = 25, float64(i)
	}
	busy.Servers[2].Speed = 100
	hours := p
	hours.Left = 70 * time.Minute
	hours.Servers = []Server{{Number: 1, Address: "[2001:db8::1234:5678]:9001", Bytes: 4_000_000, Speed: 2_000_049, State: "connected"}}
	long := Progress{Size: 8, Left: -1, Servers: []Server{{Number: 1, Address: strings.Repeat("x", 40) + ":9001", State: "other file"}}}
	for _, c := range []struct {
		what          string
		p             Progress
		columns, rows int
		ascii         bool
		want          []string
	}{
		{"wide", p, 99, 24, false, []string{
			"1  127.0.0.1:9001         ███████████████░░░░░░░░░░░░░░░░░░░░░░░░░   37%  2.00 MB/s  connected",
			"2  [::1]:9002             ██░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░    5%   305 kB/s  stalled",
			"Total  3.46 MB / 8.00 MB  █████████████████░░░░░░░░░░░░░░░░░░░░░░░   43%  2.30 MB/s  0:02 left",
		}},
		{"80 columns", p, 79, 24, false, []string{
			"1  127.0.0.1:9001         █████████░░░░░░░░░░░░░░░░   37%  2.00 MB/s  connected",
			"2  [::1]:9002             █░░░░░░░░░░░░░░░░░░░░░░░░    5%   305 kB/s  stalled",
			"Total  3.46 MB / 8.00 MB  ██████████▌░░░░░░░░░░░░░░   43%  2.30 MB/s  0:02 left",
		}},
		{"80 columns, long address, hours left", hours, 79, 24, false, []string{
			"1  [2001:db8::1234:5678]:9001  ████████▌░░░░░░░░   50%  2.00 MB/s  connected",
			"Total  3.46 MB / 8.00 MB       ███████░░░░░░░░░░   43%  2.30 MB/s  1:10:00 left",
		}},
		{"the addresses go before the bytes", hours, 69, 24, false, []string{
			"1                         ██████░░░░░░   50%  2.00 MB/s  connected",
			"Total  3.46 MB / 8.00 MB  █████░░░░░░░   43%  2.30 MB/s  1:10:00 left",
		}},
		{"an address without bytes", Progress{Size: 8, Left: -1, Servers: []Server{{Number: 1, Address: "h:1"}}}, 56, 24, false, []string{
			"1  h:1  ░░░░░░░░░░░░░░░░░░░░    0%      0 B/s",
			"Total   ░░░░░░░░░░░░░░░░░░░░    0%      0 B/s  -:-- left",
		}},
		{"no addresses", p, 60, 24, false, []string{
			"1      █████████░░░░░░░░░░░░░░░░   37%  2.00 MB/s  connected",
			"2      █░░░░░░░░░░░░░░░░░░░░░░░░    5%   305 kB/s  stalled",
			"Total  ██████████▌░░░░░░░░░░░░░░   43%  2.30 MB/s  0:02 left",
		}},
		{"ASCII", p, 79, 24, true, []string{
			"1  127.0.0.1:9001         #########----------------   37%  2.00 MB/s  connected",
			"2  [::1]:9002             #------------------------    5%   305 kB/s  stalled",
			"Total  3.46 MB / 8.00 MB  ##########---------------   43%  2.30 MB/s  0:02 left",
		}},
		{"too narrow", p, 43, 24, false, []string{barLine(p, 43)}},
		{"too few rows", p, 79, 5, false, []string{barLine(p, 79)}},
		{"just enough rows", p, 79, 6, false, []string{
			"1  127.0.0.1:9001         █████████░░░░░░░░░░░░░░░░   37%  2.00 MB/s  connected",
			"2  [::1]:9002             █░░░░░░░░░░░░░░░░░░░░░░░░    5%   305 kB/s  stalled",
			"Total  3.46 MB / 8.00 MB  ██████████▌░░░░░░░░░░░░░░   43%  2.30 MB/s  0:02 left",
		}},
		{"the busiest", busy, 79, 10, false, []string{
			" 3  192.168.1.3:9001      ▌░░░░░░░░░░░░░░░░░░░░░░░░    2%    100 B/s  connected",
			"19  192.168.1.19:9001     ▌░░░░░░░░░░░░░░░░░░░░░░░░    2%   18.0 B/s  connected",
			"20  192.168.1.20:9001     ▌░░░░░░░░░░░░░░░░░░░░░░░░    2%   19.0 B/s  connected",
			"… and 17 more             ██████████▌░░░░░░░░░░░░░░   42%    151 B/s",
			"Total    500 B / 1.00 kB  ████████████▌░░░░░░░░░░░░   50%    210 B/s  0:01 left",
		}},
		{"long address", long, 99, 24, false, []string{
			"1  …xxxxxxxxxxxxxxxxxxxxxx:9001  ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░    0%      0 B/s  other file",
			"Total      0 B /     8 B         ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░    0%      0 B/s  -:-- left",
		}},
		{"nobody", Progress{Left: -1}, 79, 24, false, []string{barLine(Progress{Left: -1}, 79)}},
	} {
		terminal := window(c.columns+1, c.rows)
		terminal.Unicode = !c.ascii
		live := NewLive(nil, terminal, true)
		live.last = c.p
		if got := live.lines(c.columns, c.rows); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%s\nwant\n%s", c.what, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

// At no size, and at no state, is the area wider or higher than its part of the window.
func TestAreaFitsEveryWindow(t *testing.T) {
	hostile := servers(3)
	hostile[1] = Server{Number: 65535, Address: "h\x1b[2J\u202e:1", State: "lost\n", Bytes: math.MaxInt64, Speed: math.Inf(1)}
	states := []Progress{
		{}, sampleProgress, {Size: math.MaxInt64, Bytes: math.MaxInt64 - 1, Speed: math.MaxFloat64, Left: maxLeft - 1, Servers: hostile},
		{Size: -1, Bytes: -1, Speed: math.NaN(), Left: -1, Servers: servers(30)},
	}
	for _, p := range states {
		for _, unicode := range []bool{false, true} {
			terminal := window(0, 0)
			terminal.Unicode = unicode
			live := NewLive(nil, terminal, true)
			live.last = p
			for columns := 0; columns < 120; columns += 1 + columns/40 {
				for _, rows := range []int{0, 1, 5, 6, 7, 24, 200} {
					lines := live.lines(columns, rows)
					if len(lines) > max(1, rows/2) {
						t.Fatalf("%d lines in %d rows", len(lines), rows)
					}
					for _, l := range lines {
						if n := utf8.RuneCountInString(l); n > columns {
							t.Fatalf("%d columns: %d wide: %q", columns, n, l)
						}
						if l != printable(l) || !unicode && strings.ContainsFunc(l, func(r rune) bool { return r > '~' }) {
							t.Fatalf("sent %q", l)
						}
					}
				}
			}
		}
	}
}

// Equals do not swap places; a server that is much busier comes in.
func TestChoiceHoldsStill(t *testing.T) {
	live := NewLive(nil, window(80, 24), true)
	live.last = Progress{Servers: servers(10)}
	random := rand.New(rand.NewPCG(1, 2))
	numbers := func() (n []int) {
		for i := range live.last.Servers {
			live.last.Servers[i].Speed = 100 + 20*random.Float64()
		}
		live.last.Servers[6].Speed *= 1.1
		for _, s := range live.choose(4) {
			n = append(n, s.Number)
		}
		return n
	}
	first := numbers()
	for range 100 {
		if got := numbers(); !slices.Equal(got, first) || len(got) != 3 {
			t.Fatalf("chose %v after %v", got, first)
		}
	}
	random = rand.New(rand.NewPCG(1, 2))
	outsider := 1
	for slices.Contains(first, outsider) {
		outsider++
	}
	numbers()
	live.last.Servers[outsider-1].Speed = 1000
	if got := live.choose(4); !slices.ContainsFunc(got, func(s Server) bool { return s.Number == outsider }) {
		t.Errorf("server %d is not shown: %v", outsider, got)
	}
}

// Colours come only where they may, and change nothing but the colour.
func TestColours(t *testing.T) {
	m := newScreenModel(t, 90, 24)
	terminal := m.terminal()
	newScreen(t, m, NewLive(m, terminal, true)).Draw(sampleProgress)
	plain := m.text()
	if m.colours != 0 {
		t.Errorf("%d colours without leave", m.colours)
	}
	m = newScreenModel(t, 90, 24)
	terminal.Colour = true
	newScreen(t, m, NewLive(m, terminal, true)).Draw(sampleProgress)
	if got := m.text(); m.colours == 0 || !slices.Equal(got, plain) {
		t.Errorf("%d colours:\n%q\nwant\n%q", m.colours, got, plain)
	}
}

// A window that became too narrow for anything keeps nothing of the old lines.
func TestWindowTooNarrow(t *testing.T) {
	m := newScreenModel(t, 80, 24)
	s := newScreen(t, m, NewLive(m, m.terminal(), true))
	s.Draw(sampleProgress)
	m.columns = 2
	s.Draw(sampleProgress)
	if got := m.text(); len(got) != 0 {
		t.Errorf("it shows %q", got)
	}
	m.columns = 80
	s.Draw(sampleProgress)
	if got := m.text(); len(got) != 3 {
		t.Errorf("it shows %q", got)
	}
}
