package report

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

const (
	maxCells = 40 // of a drawn bar: a longer one says no more
	minCells = 10 // a shorter one says nothing
)

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
