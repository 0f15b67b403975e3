package report

import (
	"os"

	"golang.org/x/term"
)

// Terminal tells whether f, commonly os.Stderr, is a terminal that can show a
// Bar, and returns its width in columns for NewBar (0 when unknown). On Windows
// it switches the console's escape sequences on. f stays the caller's.
func Terminal(f *os.File) (width func() int, ok bool) {
	fd := int(f.Fd())
	width = func() int {
		columns, _, err := term.GetSize(fd)
		if err != nil {
			return 0
		}
		return columns
	}
	return width, term.IsTerminal(fd) && os.Getenv("TERM") != "dumb" && enableEscapes(f)
}
