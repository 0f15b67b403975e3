package report

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// cleanLimit bounds what Clean returns, in bytes: enough for any host name or
// file name that a file system takes.
const cleanLimit = 256

// Clean makes text that came from a peer fit for a terminal: every control
// character, invisible character (such as those that turn the direction of
// writing) and invalid byte becomes '?', so no escape sequence is left and
// it stays on one line. The result is valid UTF-8 of at most 256 bytes; longer
// text ends in "…".
func Clean(s string) string { return shorten(s, cleanLimit) }

// printable is Clean without the limit.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// shorten is printable text of at most limit bytes. It looks at no more of s
// than it can use.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return printable(s)
	}
	const mark = "…"
	cut := limit - len(mark)
	for i := 1; i < utf8.UTFMax && !utf8.RuneStart(s[cut]); i++ {
		cut--
	}
	return printable(s[:cut]) + mark
}
