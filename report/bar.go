package report

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

const (
	defaultWidth = 80         // columns, when the terminal does not tell
	maxCells     = 40         // of the drawn bar: a longer one says no more
	minCells     = 10         // a shorter one says nothing
	eraseLine    = "\r\x1b[K" // to the first column, erase to the end of the line (ECMA-48 EL)
)

// Bar is the progress bar: one line on stderr, redrawn in place. It uses no
// colours. A Screen owns it and keeps it apart from everything else that is shown.
type Bar struct {
	w       io.Writer
	width   func() int
	enabled bool
	shown   bool     // the line is on the terminal now
	last    Progress // what redraw shows
	drawn   bool     // last is set
}

// NewBar returns a bar on w, commonly stderr. width tells the columns of
// the terminal each time the bar is drawn; nil, or a result below 1, means that
// they are unknown and taken for 80. A bar that is not enabled shows nothing.
func NewBar(w io.Writer, width func() int, enabled bool) *Bar {
	return &Bar{w: w, width: width, enabled: enabled}
}

func (b *Bar) draw(p Progress) {
	b.last, b.drawn = p, true
	b.redraw()
}

// redraw puts the line on the terminal, where the cursor stays behind it.
func (b *Bar) redraw() {
	line := b.line()
	if line == "" {
		b.erase()
		return
	}
	b.shown = true
	b.write("\r" + line + "\x1b[K")
}

// erase leaves an empty line with the cursor in the first column.
func (b *Bar) erase() {
	if b.shown {
		b.shown = false
		b.write(eraseLine)
	}
}

// above writes whole lines where the bar is and the bar below them, in one
// Write, so that nothing flickers.
func (b *Bar) above(lines string) {
	if b.shown {
		lines = eraseLine + lines
	}
	line := b.line()
	b.shown = line != ""
	b.write(lines + line)
}

func (b *Bar) close() {
	b.erase()
	b.enabled = false
}

// line is what the terminal should show now; "" for nothing.
func (b *Bar) line() string {
	if !b.enabled || !b.drawn {
		return ""
	}
	width := 0
	if b.width != nil {
		width = b.width()
	}
	if width < 1 {
		width = defaultWidth
	}
	// Some terminals wrap as soon as the last column is written.
	return barLine(b.last, width-1)
}

// write gives the bar up when its terminal has gone. Events are still tried.
func (b *Bar) write(s string) {
	if _, err := io.WriteString(b.w, s); err != nil {
		b.enabled, b.shown = false, false
	}
}

// barLine is the line for p in at most columns columns, all of it ASCII: the
// fullest of several versions that fits.
func barLine(p Progress, columns int) string {
	done, size := size(p.Bytes), size(p.Size)
	speed := fmt.Sprintf("%9s", humanSize(finite(p.Speed))+"/s")
	left := fmt.Sprintf("%7s left", clock(p.Left))
	if p.Size <= 0 {
		return fullest(columns, done+"  "+speed, strings.TrimSpace(done))
	}
	share := share(p.Bytes, p.Size)
	percent := fmt.Sprintf("%3d%%", int(share*100))
	rest := done + " / " + size + "  " + speed + "  " + left
	line := fullest(columns,
		percent+"  "+rest,
		percent+"  "+done+"  "+speed+"  "+left,
		percent+"  "+speed+"  "+left,
		percent+"  "+left,
		percent,
		strings.TrimSpace(percent))
	cells := min(columns-len(percent)-len(rest)-len("  []  "), maxCells)
	if cells >= minCells {
		filled := int(share * float64(cells))
		line = percent + "  [" + strings.Repeat("#", filled) + strings.Repeat("-", cells-filled) + "]  " + rest
	}
	return line
}

// fullest returns the first version that fits, "" when none does.
func fullest(columns int, versions ...string) string {
	for _, v := range versions {
		if len(v) <= columns {
			return v
		}
	}
	return ""
}

// share is done/size, 0 to 1, and 1 only when nothing is missing.
func share(done, size int64) float64 {
	if done >= size {
		return 1
	}
	return min(finite(float64(done)/float64(size)), math.Nextafter(1, 0))
}

func size(n int64) string { return fmt.Sprintf("%7s", humanSize(finite(float64(n)))) }

func humanSize(n float64) string { return humanize.BytesN(uint64(min(n, math.MaxInt64)), 3) }

// clock prints a time to go: 0:07, 12:34, 1:02:03, 3d04h.
func clock(d time.Duration) string {
	const day = 24 * time.Hour
	if d < 0 || d >= 1000*day {
		return "-:--"
	}
	// Rounded up: 0:00 is for the end.
	s := int64((d + time.Second - 1) / time.Second)
	m, h, days := s/60, s/3600, s/86400
	switch {
	case days > 0:
		return fmt.Sprintf("%dd%02dh", days, h%24)
	case h > 0:
		return fmt.Sprintf("%d:%02d:%02d", h, m%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", m, s%60)
}
