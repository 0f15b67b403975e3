package report

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestBarLine(t *testing.T) {
	p := Progress{Size: 8_000_000, Bytes: 3_456_789, Speed: 1_234_567, Left: 4 * time.Second}
	with := func(f func(*Progress)) Progress { q := p; f(&q); return q }
	for _, c := range []struct {
		what    string
		p       Progress
		columns int
		want    string
	}{
		{"wide", p, 200, " 43%  [#################-----------------------]  3.46 MB / 8.00 MB  1.23 MB/s     0:04 left"},
		{"80 columns", p, 79, " 43%  [###########----------------]  3.46 MB / 8.00 MB  1.23 MB/s     0:04 left"},
		{"no room to draw", p, 60, " 43%  3.46 MB / 8.00 MB  1.23 MB/s     0:04 left"},
		{"no size", p, 45, " 43%  3.46 MB  1.23 MB/s     0:04 left"},
		{"no bytes", p, 35, " 43%  1.23 MB/s     0:04 left"},
		{"no speed", p, 20, " 43%     0:04 left"},
		{"only the percentage", p, 4, " 43%"},
		{"only its digits", p, 3, "43%"},
		{"nothing fits", p, 2, ""},
		{"no column", p, 0, ""},
		{"size unknown", Progress{Bytes: 1500, Speed: 500, Left: -1}, 79, "1.50 kB    500 B/s"},
		{"size unknown, narrow", Progress{Bytes: 1500, Speed: 500, Left: -1}, 10, "1.50 kB"},
		{"nothing known", Progress{Left: -1}, 79, "    0 B      0 B/s"},
		{"time unknown", with(func(p *Progress) { p.Left = -1 }), 60, " 43%  3.46 MB / 8.00 MB  1.23 MB/s     -:-- left"},
		{"a byte missing", with(func(p *Progress) { p.Bytes = p.Size - 1; p.Left = 1 }), 65, " 99%  [############-]  8.00 MB / 8.00 MB  1.23 MB/s     0:01 left"},
		{"complete", with(func(p *Progress) { p.Bytes = p.Size; p.Left = 0 }), 65, "100%  [#############]  8.00 MB / 8.00 MB  1.23 MB/s     0:00 left"},
		{"too much", with(func(p *Progress) { p.Bytes = 2 * p.Size; p.Left = 0 }), 20, "100%     0:00 left"},
		{"negative", with(func(p *Progress) { p.Bytes, p.Speed = -5, -5 }), 60, "  0%      0 B / 8.00 MB      0 B/s     0:04 left"},
		{"not a number", with(func(p *Progress) { p.Speed = math.NaN() }), 60, " 43%  3.46 MB / 8.00 MB      0 B/s     0:04 left"},
		{"infinite", with(func(p *Progress) { p.Speed = math.Inf(1) }), 60, " 43%  3.46 MB / 8.00 MB      0 B/s     0:04 left"},
		{"largest", Progress{Size: math.MaxInt64, Bytes: math.MaxInt64 - 1, Speed: math.MaxFloat64, Left: math.MaxInt64}, 60,
			" 99%  9.22 EB / 9.22 EB  9.22 EB/s     -:-- left"},
	} {
		if got := barLine(c.p, c.columns); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.what, got, c.want)
		}
	}
}

// At no width, and at no state, is the line wider than the terminal, and it says the more the wider that is.
func TestBarFitsEveryWidth(t *testing.T) {
	states := []Progress{
		{}, {Bytes: 1}, {Bytes: math.MaxInt64, Speed: math.MaxFloat64, Left: -1}, sampleProgress,
		{Size: 1, Left: maxLeft - 1}, {Size: math.MaxInt64, Bytes: math.MaxInt64 / 2, Speed: 999_999, Left: 99*time.Hour + 59*time.Minute},
		{Size: 1000, Bytes: 1000, Speed: 1}, {Size: 999_999, Bytes: 999_950, Speed: 9.999e5, Left: 24*time.Hour - 1},
	}
	for _, p := range states {
		previous := 0
		for columns := range 201 {
			line := barLine(p, columns)
			if len(line) > columns {
				t.Errorf("%d columns: %d wide: %q", columns, len(line), line)
			}
			for _, r := range line {
				if r < ' ' || r > '~' {
					t.Errorf("%d columns: %U in %q", columns, r, line)
				}
			}
			if len(line) < previous {
				t.Errorf("%d columns: shorter than with fewer: %q", columns, line)
			}
			previous = len(line)
		}
		if previous == 0 {
			t.Errorf("%+v shows nothing", p)
		}
	}
}

func TestClock(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-1: "-:--", 0: "0:00", 1: "0:01", time.Second: "0:01", 59*time.Second + 1: "1:00",
		12*time.Minute + 34*time.Second: "12:34", time.Hour: "1:00:00", 25*time.Hour + time.Minute: "1d01h",
		24*time.Hour - 1: "1d00h", maxLeft - 1: "1000d00h", maxLeft: "-:--", math.MaxInt64: "-:--",
	} {
		if got := clock(d); got != want {
			t.Errorf("clock(%d): got %q, want %q", d, got, want)
		}
	}
}

// Without a terminal the bar is one plain line, redrawn in place, erased at the
// end: no colour, no other escape.
func TestBarBytes(t *testing.T) {
	var stderr writes
	s := newScreen(t, &stderr, NewLive(&stderr, Terminal{Colour: true, Unicode: true}, true))
	p := Progress{Size: 100, Bytes: 43, Left: 4 * time.Second, Servers: []Server{{Number: 1}, {Number: 2}}}
	s.Draw(p)
	s.Draw(p)
	s.Events().Printf("server %d: %s", 2, "lost")
	if _, err := s.Stdout().Write([]byte("block\n")); err != nil {
		t.Fatal(err)
	}
	s.Finish(t.Context())
	s.Finish(t.Context())
	s.Draw(p)
	s.Events().Printf("done")
	line := "\r" + barLine(p, 79) + "\x1b[K"
	if !strings.Contains(line, "[####") {
		t.Errorf("no bar in %q", line)
	}
	compare(t, stderr.all, []string{
		line,
		line,
		"\r\x1b[Kserver 2: lost\n" + line,
		"\r\x1b[K", "block\n", line,
		"\r\x1b[K",
		"done\n",
	})
}

func TestBarDisabled(t *testing.T) {
	var stdout, stderr writes
	s := newScreen(t, &stdout, NewLive(&stderr, window(80, 24), false))
	s.Draw(sampleProgress)
	s.Events().Printf("event")
	if _, err := s.Stdout().Write([]byte("block\n")); err != nil {
		t.Fatal(err)
	}
	s.Finish(t.Context())
	compare(t, stdout.all, []string{"block\n"})
	compare(t, stderr.all, []string{"event\n"})
}

// A stderr that has gone ends the bar and nothing else.
func TestBarStderrGone(t *testing.T) {
	stderr := &writes{limit: 1}
	var stdout writes
	s := newScreen(t, &stdout, NewLive(stderr, window(80, 24), true))
	s.Draw(sampleProgress)
	stderr.limit = 0
	s.Draw(sampleProgress)
	if n, err := s.Stdout().Write([]byte("block\n")); n != 6 || err != nil {
		t.Errorf("wrote %d, %v", n, err)
	}
	s.Finish(t.Context())
	compare(t, stdout.all, []string{"block\n"})
	compare(t, stderr.all, nil)
}
