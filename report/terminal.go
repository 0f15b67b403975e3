package report

import (
	"os"
	"runtime"
	"strings"

	"golang.org/x/term"
)

// Terminal is what a person looks at. The zero value is no terminal.
type Terminal struct {
	// Size returns the columns and rows of the window as it is now, 0 for what
	// is unknown; nil where there is no terminal.
	Size func() (columns, rows int)
	// Colour and Unicode tell whether it may be sent colours, and more than ASCII.
	Colour, Unicode bool
}

// TerminalOf tells what f, commonly os.Stderr, shows to a person. On Windows it
// switches the console's escape sequences on. f stays the caller's. Of the
// environment it heeds TERM=dumb, NO_COLOR (https://no-color.org) and the
// locale's character set.
func TerminalOf(f *os.File) Terminal {
	fd := int(f.Fd())
	if !term.IsTerminal(fd) || os.Getenv("TERM") == "dumb" || !enableEscapes(f) {
		return Terminal{}
	}
	return Terminal{
		Size: func() (columns, rows int) {
			columns, rows, err := term.GetSize(fd)
			if err != nil {
				return 0, 0
			}
			return columns, rows
		},
		Colour:  os.Getenv("NO_COLOR") == "",
		Unicode: unicodeLocale(runtime.GOOS, os.Getenv),
	}
}

// unicodeLocale reports whether text of the locale is UTF-8. The first variable
// that is set counts (POSIX, Base Definitions 8.2). Go writes to a Windows
// console in Unicode, whatever its code page.
func unicodeLocale(system string, getenv func(string) string) bool {
	if system == "windows" {
		return true
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToUpper(getenv(name)); v != "" {
			return strings.HasSuffix(v, "UTF-8") || strings.HasSuffix(v, "UTF8")
		}
	}
	return false
}

// size is the terminal's size with what is usual in the place of what is unknown.
func (t Terminal) size() (columns, rows int) {
	if t.Size != nil {
		columns, rows = t.Size()
	}
	if columns < 1 {
		columns = defaultColumns
	}
	if rows < 1 {
		rows = defaultRows
	}
	return columns, rows
}
