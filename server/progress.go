package server

import (
	"fmt"
	"io"
	"time"

	"github.com/dustin/go-humanize"
)

// hashProgress tells on stderr how far the hashing of a file has come, when it
// takes long enough for a person to wonder.
type hashProgress struct {
	w     io.Writer
	path  string
	begun time.Time
	last  time.Time
}

// Progress begins after quiet, and comes once every step.
const (
	quiet = 2 * time.Second
	step  = time.Second
)

func (p *hashProgress) show(done, total int64) {
	now := time.Now()
	if now.Sub(p.begun) < quiet || now.Sub(p.last) < step {
		return
	}
	p.last = now
	fmt.Fprintf(p.w, "hashing %s: %s of %s (%d%%)\n", p.path, humanize.Bytes(uint64(done)), humanize.Bytes(uint64(total)), done*100/max(total, 1))
}

// end tells how long it took, if anything was told before.
func (p *hashProgress) end() {
	if !p.last.IsZero() {
		fmt.Fprintf(p.w, "hashed %s in %.1fs\n", p.path, time.Since(p.begun).Seconds())
	}
}
