package report

import (
	"fmt"
	"io"
	"sync"
)

// eventLimit bounds an event line, in bytes.
const eventLimit = 2048

// Screen owns what a person looks at: the blocks on stdout, and the events and
// the live area on stderr. Both may be the same terminal, so everything goes
// through one lock: the area is erased, the block or event is written, the area
// is drawn again below it. All methods may be called from several goroutines.
//
// The lock is held while writing: a terminal that is stopped (Ctrl-S) stops
// whoever reports to it.
type Screen struct {
	mu     sync.Mutex
	stdout io.Writer
	live   *Live
}

// NewScreen returns a Screen over stdout and over the live area with its stderr.
// From here on the area belongs to the Screen, and so do both writers until Close.
func NewScreen(stdout io.Writer, live *Live) *Screen {
	return &Screen{stdout: stdout, live: live}
}

// Stdout is the writer for the reports of NewClient and NewServer: each Write
// should be whole lines.
func (s *Screen) Stdout() io.Writer { return blocks{s} }

// Events is the writer for events.
func (s *Screen) Events() *Events { return &Events{screen: s} }

// Draw shows the progress in the live area.
func (s *Screen) Draw(p Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live.draw(p)
}

// Close erases the live area for good. Blocks and events can still be written.
func (s *Screen) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live.close()
}

// Events writes to stderr what happens, a line each.
type Events struct {
	screen *Screen
	tee    func(line string)
}

// Tee makes Printf also call f with each line, before it is written. Call it
// before the first Printf.
func (e *Events) Tee(f func(line string)) { e.tee = f }

// Printf writes one line; format needs no newline. The line is cleaned as by
// Clean, but up to 2048 bytes long. A failing stderr is ignored: there is
// nobody left to tell.
func (e *Events) Printf(format string, args ...any) {
	line := shorten(fmt.Sprintf(format, args...), eventLimit)
	if e.tee != nil {
		e.tee(line)
	}
	e.screen.mu.Lock()
	defer e.screen.mu.Unlock()
	e.screen.live.above(line + "\n")
}

// blocks is a Screen's stdout.
type blocks struct{ screen *Screen }

func (b blocks) Write(block []byte) (int, error) {
	b.screen.mu.Lock()
	defer b.screen.mu.Unlock()
	b.screen.live.erase()
	defer b.screen.live.redraw()
	return b.screen.stdout.Write(block)
}
