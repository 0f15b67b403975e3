package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	gap          = "  "             // between two columns
	maxAddress   = 28               // columns of an address
	leastCells   = 16               // with a shorter bar the addresses give way
	speedColumns = len("9.99 MB/s") // also of 999 kB/s
	// stay is how much busier another server must be to take the place of one
	// that is shown: equals would swap places several times a second.
	stay = 1.5
)

// choose picks the servers that get a line of their own where there is room for
// so many lines: all, or the busiest, in the order of their numbers; none where
// not even one fits beside the line that counts the others.
func (l *Live) choose(room int) []Server {
	servers := l.last.Servers
	if len(servers) <= room {
		return servers
	}
	room--
	if room < 1 {
		return nil
	}
	weight := func(s Server) float64 {
		if l.chosen[s.Number] {
			return stay * finite(s.Speed)
		}
		return finite(s.Speed)
	}
	busiest := slices.Clone(servers)
	slices.SortStableFunc(busiest, func(a, b Server) int { return cmp.Compare(weight(b), weight(a)) })
	busiest = busiest[:room]
	l.chosen = map[int]bool{}
	for _, s := range busiest {
		l.chosen[s.Number] = true
	}
	slices.SortFunc(busiest, func(a, b Server) int { return cmp.Compare(a.Number, b.Number) })
	return busiest
}

// table lays servers and total out in columns: a head (number and address), a
// bar, a percentage, a speed, a tail (the state, or the time left).
type table struct {
	terminal Terminal
	progress Progress
	servers  []Server // those with a line of their own
	number   int      // width of the numbers
	address  int      // width of the addresses; 0: there is no room for them
	bytes    bool     // the total tells its bytes
	head     int      // width of all that, the widest of the lines
	cells    int      // of a bar
}

// newTable returns nil where no server is to be shown, or the window is too
// narrow, which is for the bar then.
func newTable(terminal Terminal, p Progress, servers []Server, columns int) *table {
	if len(servers) == 0 {
		return nil
	}
	t := &table{terminal: terminal, progress: p, servers: servers}
	tail := len(t.left())
	for _, s := range servers {
		t.number = max(t.number, len(fmt.Sprint(s.Number)))
		t.address = max(t.address, min(utf8.RuneCountInString(s.Address), maxAddress))
		tail = max(tail, utf8.RuneCountInString(s.State))
	}
	rest := len(gap) + len(gap+"100%"+gap) + speedColumns + len(gap) + tail
	address := t.address
	for _, try := range []struct {
		address, cells int
		bytes          bool
	}{{address, leastCells, true}, {0, minCells, true}, {address, leastCells, false}, {0, minCells, false}} {
		t.address, t.bytes = try.address, try.bytes
		t.head = max(t.number, len(t.totalHead()), utf8.RuneCountInString(t.others()))
		if t.address > 0 {
			t.head = max(t.head, t.number+len(gap)+t.address)
		}
		if t.cells = min(columns-t.head-rest, maxCells); t.cells >= try.cells {
			return t
		}
	}
	return nil
}

func (t *table) lines() []string {
	var lines []string
	hidden := Server{Number: -1}
	for _, s := range t.progress.Servers {
		hidden.Bytes, hidden.Speed = hidden.Bytes+s.Bytes, hidden.Speed+finite(s.Speed)
	}
	for _, s := range t.servers {
		hidden.Bytes, hidden.Speed = hidden.Bytes-s.Bytes, hidden.Speed-finite(s.Speed)
		head := fmt.Sprintf("%*d", t.number, s.Number)
		if t.address > 0 {
			head += gap + t.cut(printable(s.Address), t.address)
		}
		lines = append(lines, t.line(head, s.Bytes, s.Speed, printable(s.State), colourOf(s.State)))
	}
	if head := t.others(); head != "" {
		lines = append(lines, t.line(head, hidden.Bytes, hidden.Speed, "", dim))
	}
	return append(lines, t.total())
}

// others counts the servers without a line of their own; "" where there is none.
func (t *table) others() string {
	n := len(t.progress.Servers) - len(t.servers)
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%s and %d more", t.ellipsis(), n)
}

func (t *table) total() string {
	return t.line(t.totalHead(), t.progress.Bytes, t.progress.Speed, t.left(), bold)
}

// totalHead has the same width from the first byte to the last.
func (t *table) totalHead() string {
	if !t.bytes || t.progress.Size <= 0 {
		return "Total"
	}
	return "Total" + gap + size(t.progress.Bytes) + " / " + size(t.progress.Size)
}

func (t *table) left() string { return clock(t.progress.Left) + " left" }

// line is one line of the table, without blanks at its end.
func (t *table) line(head string, bytes int64, speed float64, tail, colour string) string {
	part := 0.0
	if t.progress.Size > 0 {
		part = share(bytes, t.progress.Size)
	}
	full, empty := t.bar(part)
	head += strings.Repeat(" ", max(0, t.head-utf8.RuneCountInString(head)))
	numbers := fmt.Sprintf("%3d%%%s%*s%s", int(part*100), gap, speedColumns, humanSize(finite(speed))+"/s", gap)
	if colour == bold {
		head, numbers = t.paint(bold, head), t.paint(bold, numbers)
		colour = cyan
	}
	line := head + gap + t.paint(colour, full) + t.paint(dim, empty) + gap + numbers
	if colour != green && colour != cyan {
		tail = t.paint(colour, tail)
	}
	return strings.TrimRight(line+tail, " ")
}

// bar draws a part, 0 to 1, in t.cells columns; a part that is not nothing shows.
func (t *table) bar(part float64) (full, empty string) {
	if !t.terminal.Unicode {
		n := int(part * float64(t.cells))
		return strings.Repeat("#", n), strings.Repeat("-", t.cells-n)
	}
	halves := int(part * float64(2*t.cells))
	full = strings.Repeat("█", halves/2)
	if halves%2 == 1 {
		full += "▌"
	}
	return full, strings.Repeat("░", t.cells-(halves+1)/2)
}

func (t *table) ellipsis() string {
	if t.terminal.Unicode {
		return "…"
	}
	return "..."
}

// cut shortens text to a width and keeps its end, where an address has its port.
func (t *table) cut(text string, width int) string {
	if !t.terminal.Unicode {
		text = strings.Map(func(r rune) rune {
			if r > '~' {
				return '?'
			}
			return r
		}, text)
	}
	runes := []rune(text)
	if len(runes) <= width {
		return text
	}
	mark := []rune(t.ellipsis())
	return string(append(mark, runes[len(runes)-width+len(mark):]...))
}

// Colours (ECMA-48 SGR). The ones that every scheme has, and no background.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

// colourOf is the colour of a server in that state.
func colourOf(state string) string {
	switch state {
	case "connected":
		return green
	case "seeking":
		return dim
	case "stalled":
		return yellow
	}
	return red
}

func (t *table) paint(colour, text string) string {
	if !t.terminal.Colour || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}
