package report

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// eventLimit bounds an event line, in bytes.
const eventLimit = 2048

// Screen owns what a person looks at: the blocks on stdout, and the events and
// the live area on stderr. Where both lead to one place, such as a terminal,
// everything goes through one queue: the area is erased, the block or event is
// written, the area is drawn again below it. All methods may be called from
// several goroutines.
//
// Until Finish nobody waits for a reader: what a full pipe or a halted terminal
// (Ctrl-S) does not take is kept, up to 64 blocks and 1024 events, and what goes
// beyond that is dropped. Where stdout and stderr lead to different places, neither
// waits for the other.
type Screen struct {
	stdout io.Writer
	live   *Live // the jobs of events use it, and nobody else
	blocks *queue
	events *queue // the same as blocks where both lead to one place
}

// NewScreen returns a Screen over stdout and over the live area with its stderr.
// From here on the area belongs to the Screen, and so do both writers until Close,
// which the caller must call. Writers that differ may be written to at the same time.
func NewScreen(stdout io.Writer, live *Live) *Screen {
	s := &Screen{stdout: stdout, live: live, events: newQueue()}
	s.blocks = s.events
	if !onePlace(stdout, live.w) {
		s.blocks = newQueue()
	}
	return s
}

// onePlace reports whether what is written to a and b is seen together.
func onePlace(a, b io.Writer) bool {
	f, isFile := a.(*os.File)
	g, areFiles := b.(*os.File)
	if !isFile || !areFiles {
		return a == b
	}
	if term.IsTerminal(int(f.Fd())) && term.IsTerminal(int(g.Fd())) {
		return true // a Windows console tells nothing by which to know it again
	}
	infoF, errF := f.Stat()
	infoG, errG := g.Stat()
	return errF == nil && errG == nil && os.SameFile(infoF, infoG)
}

// Stdout is the writer for the reports of NewDownloadWriter: each Write should be whole
// lines. It returns the first error of stdout that has been met, which before
// Finish may be that of an earlier Write.
func (s *Screen) Stdout() io.Writer { return blocks{s} }

// Events is the writer for events.
func (s *Screen) Events() *Events { return &Events{screen: s} }

// Draw shows the progress in the live area, unless something else is still to be shown.
func (s *Screen) Draw(p Progress) {
	s.show(drawingBacklog, func() { s.live.draw(p) })
}

// Finish erases the live area for good. What is shown from here on is not dropped:
// whoever shows it waits until it has been written, or ctx is over.
func (s *Screen) Finish(ctx context.Context) {
	s.show(eventBacklog, s.live.close)
	s.blocks.wait(ctx)
	s.events.wait(ctx)
}

// Close waits until all has been written; once ctx is over, for a quarter of a second
// at most. What comes later is dropped.
func (s *Screen) Close(ctx context.Context) {
	s.events.close(ctx)
	if s.blocks != s.events {
		s.blocks.close(ctx)
	}
}

// show does what writes to stderr, whose failures the area sees to.
func (s *Screen) show(backlog int, do func()) {
	_ = s.events.ask(backlog, func() error { do(); return nil })
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
	e.screen.show(eventBacklog, func() { e.screen.live.above(line + "\n") })
}

// blocks is a Screen's stdout.
type blocks struct{ screen *Screen }

func (b blocks) Write(block []byte) (int, error) {
	s, kept := b.screen, bytes.Clone(block)
	err := s.blocks.ask(blockBacklog, func() error {
		if s.blocks == s.events {
			s.live.erase()
			defer s.live.redraw()
		}
		_, err := s.stdout.Write(kept)
		return err
	})
	if err != nil {
		return 0, err
	}
	return len(block), nil
}
