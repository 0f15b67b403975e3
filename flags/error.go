package flags

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Error is a mistake on the command line, in the environment or in the config
// file. Its text is one line.
type Error struct {
	// Flag is the flag as --long/-short; empty where no flag is meant.
	Flag string
	// Source is where the value came from when that is not the command line:
	// BRAID_INTERVAL, or file x.conf line 3.
	Source string
	// Value is what was given. It is not shown where Missing is set.
	Value   string
	Missing bool
	// Reason says what is wrong and what would be right.
	Reason string
}

func (e *Error) Error() string {
	var parts []string
	switch {
	case e.Flag != "" && e.Source != "":
		parts = append(parts, e.Flag+" (from "+e.Source+")")
	case e.Flag != "" || e.Source != "":
		parts = append(parts, e.Flag+e.Source)
	}
	if !e.Missing {
		parts = append(parts, quote(e.Value))
	}
	return strings.Join(append(parts, e.Reason), ": ")
}

// ErrHelp is returned where -h or --help was given.
type ErrHelp struct {
	// Text is the usage text, to be printed on stdout.
	Text string
}

func (*ErrHelp) Error() string { return "help was asked for" }

// errHelp is ErrHelp before the text is known.
var errHelp = errors.New("help")

// errorf is fmt.Errorf under a name that is short enough for the tables.
func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }

// shown is how much of a value an error message shows, in bytes, after what cannot be
// printed has been escaped: \xff has four.
const shown = 80

// quote shows a value of the user's in one line of bounded length.
func quote(v string) string {
	for end := 0; end < len(v); {
		_, n := utf8.DecodeRuneInString(v[end:])
		if len(strconv.Quote(v[:end+n])) > shown+len(`""`) {
			return strconv.Quote(v[:end]) + "…"
		}
		end += n
	}
	return strconv.Quote(v)
}

// reason is what the system says about a config file, without the file's name,
// which the error shows as its value.
func reason(err error) error {
	if errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("has a line of more than %d bytes, want lines of \"long-name value\"", maxConfigLine)
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Errorf("cannot be read (%w), want a file that is there and readable", err)
}
