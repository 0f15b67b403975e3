package report

import (
	"fmt"
	"io"
	"strings"
)

// The size of a terminal that does not tell it (that of a VT100).
const (
	defaultColumns = 80
	defaultRows    = 24
)

// Control sequences (ECMA-48; DECAWM is DEC's, and known to all that matter).
const (
	eraseLine  = "\r\x1b[K" // to the first column, erase to the end of the line
	eraseBelow = "\r\x1b[J" // to the first column, erase to the end of the screen
	clearRest  = "\x1b[K"
	clearBelow = "\x1b[J"
	wrapOff    = "\x1b[?7l" // a line that is too long is cut, not wrapped
	wrapOn     = "\x1b[?7h"
)

// Live is the area below the blocks that is redrawn in place: on a terminal a
// line for every server and one for the total, or the total alone where the
// window is small; without a terminal one plain line, the progress bar. A
// Screen owns it and keeps it apart from everything else that is shown.
//
// Between two writes the cursor rests at the beginning of the area's first
// line, and erasing is "all from here". So nothing depends on how many
// rows the lines take after the window has been resized: a terminal that breaks
// its lines anew keeps the cursor with the text it stands on.
type Live struct {
	w        io.Writer
	terminal Terminal
	enabled  bool
	shown    bool     // something is on the terminal now
	last     Progress // what redraw shows
	drawn    bool     // last is set
	chosen   map[int]bool
}

// NewLive returns a live area on w, commonly stderr, which terminal describes.
// One that is not enabled shows nothing.
func NewLive(w io.Writer, terminal Terminal, enabled bool) *Live {
	return &Live{w: w, terminal: terminal, enabled: enabled}
}

func (l *Live) draw(p Progress) {
	l.last, l.drawn = p, true
	l.redraw()
}

// redraw puts the area on the terminal.
func (l *Live) redraw() {
	area := l.area()
	if area == "" {
		l.erase()
		return
	}
	l.shown = true
	l.write(area)
}

// erase leaves an empty line with the cursor in the first column.
func (l *Live) erase() {
	if l.shown {
		l.shown = false
		l.write(l.eraser())
	}
}

// above writes whole lines where the area is and the area below them, in one
// Write, so that nothing flickers.
func (l *Live) above(lines string) {
	if l.shown {
		lines = l.eraser() + lines
	}
	area := l.area()
	l.shown = area != ""
	l.write(lines + area)
}

func (l *Live) close() {
	l.erase()
	l.enabled = false
}

func (l *Live) eraser() string {
	if l.terminal.Size == nil {
		return eraseLine
	}
	return eraseBelow
}

// area is what draws the area over what was there; "" for nothing.
func (l *Live) area() string {
	if !l.enabled || !l.drawn {
		return ""
	}
	columns, rows := l.terminal.size()
	columns-- // some terminals wrap as soon as the last column is written
	if l.terminal.Size == nil {
		if line := barLine(l.last, columns); line != "" {
			return "\r" + line + clearRest
		}
		return ""
	}
	lines := l.lines(columns, rows)
	if lines == nil {
		return ""
	}
	up := ""
	if n := len(lines) - 1; n > 0 {
		up = fmt.Sprintf("\x1b[%dA", n)
	}
	return wrapOff + "\r" + strings.Join(lines, clearRest+"\r\n") + clearBelow + "\r" + up + wrapOn
}

// lines are the lines for a window of that size: the table of servers where it
// fits, else the bar, else nothing.
func (l *Live) lines(columns, rows int) []string {
	// Half of the window is left to the blocks.
	servers := l.choose(rows/2 - 1)
	if t := newTable(l.terminal, l.last, servers, columns); t != nil {
		return t.lines()
	}
	if line := barLine(l.last, columns); line != "" {
		return []string{line}
	}
	return nil
}

// write gives the area up when its terminal has gone. Events are still tried.
func (l *Live) write(s string) {
	if _, err := io.WriteString(l.w, s); err != nil {
		l.enabled, l.shown = false, false
	}
}
