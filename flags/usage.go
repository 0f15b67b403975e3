package flags

import (
	"strings"
	"unicode/utf8"
)

const (
	usageWidth = 80
	helpColumn = 30
)

// Usage is the text of --help, made from the table; it ends with a newline.
func (s *Set) Usage() string {
	var b strings.Builder
	b.WriteString("Usage: " + s.Name)
	for _, f := range s.Flags {
		if f.Required && f.Short != "" {
			b.WriteString(" -" + f.Short + " " + f.Arg)
		}
	}
	b.WriteString(" [flags]\n\n" + wrap(s.Summary, 0) + "\n")
	b.WriteString("\nRequired:\n")
	for _, f := range s.Flags {
		if f.Required {
			b.WriteString(f.usage())
		}
	}
	b.WriteString("\nOptional:\n")
	for _, f := range s.all() {
		if !f.Required {
			b.WriteString(f.usage())
		}
	}
	b.WriteString("\nExamples:\n")
	for _, e := range s.Examples {
		b.WriteString("  " + e + "\n")
	}
	for _, n := range s.Notes {
		b.WriteString("\n" + wrap(n, 0) + "\n")
	}
	return b.String()
}

// usage is the flag's own lines in the usage text.
func (f *Flag) usage() string {
	head := "      --" + f.Long
	if f.Short != "" {
		head = "  -" + f.Short + ", --" + f.Long
	}
	if !f.isSwitch() {
		head += " " + f.Arg
	}
	help := f.Help
	if f.Default != "" {
		help += " (default " + f.Default + ")"
	}
	if len(head)+2 > helpColumn {
		head += "\n" + strings.Repeat(" ", helpColumn)
	} else {
		head += strings.Repeat(" ", helpColumn-len(head))
	}
	return head + wrap(help, helpColumn) + "\n"
}

// wrap breaks text at spaces; lines after the first begin at column indent.
func wrap(text string, indent int) string {
	var b strings.Builder
	column := indent
	for i, word := range strings.Fields(text) {
		width := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+width > usageWidth:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += width
	}
	return b.String()
}
