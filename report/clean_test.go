package report

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"server.example:9001", "server.example:9001"},
		{"Zürich 東京 🎬", "Zürich 東京 🎬"},
		{"two\r\nlines\tand a tab", "two??lines?and a tab"},
		{"\x1b]0;title\x07\x1b[31mred", "?]0;title??[31mred"},
		{"C1 \u009b31m DEL \x7f", "C1 ?31m DEL ?"},
		{"bad \xff\xc3 bytes", "bad ?? bytes"},
		{"gpj\u202eexe zero\u200bwidth \ufeff", "gpj?exe zero?width ?"},
		{strings.Repeat("a", 256), strings.Repeat("a", 256)},
		{strings.Repeat("a", 257), strings.Repeat("a", 253) + "…"},
		{strings.Repeat("é", 200), strings.Repeat("é", 126) + "…"},
		{strings.Repeat("\x80", 300), strings.Repeat("?", 250) + "…"},
	} {
		if got := Clean(c.in); got != c.want {
			t.Errorf("Clean(%q):\n got %q\nwant %q", c.in, got, c.want)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{
		"", "127.0.0.1:9001", "\x1b[2J\x1b]8;;http://x\x07y", "a\r\nb\x00", "\xff\xfe\xf0\x9f\x8e", "\u202e\u200b\u2028\u009b",
		strings.Repeat("é", 128) + "x", strings.Repeat("\x80", 300), strings.Repeat("🎬", 70), strings.Repeat("x", 1<<16),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Clean(s)
		if len(got) > cleanLimit || !utf8.ValidString(got) {
			t.Fatalf("%d bytes, valid %v: %q", len(got), utf8.ValidString(got), got)
		}
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Fatalf("%U is left in %q", r, got)
			}
		}
		if again := Clean(got); again != got {
			t.Fatalf("not stable: %q, then %q", got, again)
		}
		if fits := len(s) <= cleanLimit; fits && utf8.RuneCountInString(got) != utf8.RuneCountInString(s) {
			t.Fatalf("characters were lost: %q from %q", got, s)
		}
	})
}
