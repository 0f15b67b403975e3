package flags

import (
	"fmt"
	"slices"
	"strings"
)

// Manual is a manual page of section 1.
type Manual struct {
	// Name is that of the page, such as braid or braid-client.
	Name string
	// Version is that of the program.
	Version string
	// Summary is what the page is about, in a few words; Text says it at length,
	// in paragraphs.
	Summary string
	Text    []string
	// Commands are what is described: on a page with several, each gets
	// sections of its own.
	Commands []Command
	// See lists other pages.
	See []string
}

// Roff is the page's text in the language of man(7).
func (m Manual) Roff() string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 \"\" %s \"User Commands\"\n", strings.ToUpper(roff(m.Name)), argument("braid "+m.Version))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(m.Name), roff(m.Summary))
	b.WriteString(".SH SYNOPSIS\n")
	for i, c := range m.Commands {
		if i > 0 {
			b.WriteString(".br\n")
		}
		b.WriteString(c.synopsis())
	}
	b.WriteString(".SH DESCRIPTION\n")
	for i, p := range m.Text {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		b.WriteString(paragraph(p))
	}
	if len(m.Commands) > 1 {
		b.WriteString(".SH MODES\n")
		for _, c := range m.Commands {
			fmt.Fprintf(&b, ".TP\n.B %s\n%s", roff(c.Name), paragraph(c.Help))
		}
	}
	for _, c := range m.Commands {
		if c.Set != nil {
			b.WriteString(c.Set.roff(c.Name, len(m.Commands) > 1))
		}
	}
	b.WriteString(m.environment())
	if m.See != nil {
		b.WriteString(".SH SEE ALSO\n")
		for i, s := range m.See {
			name, section, _ := strings.Cut(s, "(")
			end := ""
			if i < len(m.See)-1 {
				end = " ,"
			}
			fmt.Fprintf(&b, ".BR %s (%s%s\n", roff(name), roff(section), strings.TrimSpace(end))
		}
	}
	return b.String()
}

// synopsis is one way to call the program.
func (c *Command) synopsis() string {
	if c.Set == nil {
		words := strings.Join(c.Words, "|")
		if c.Optional {
			words = "[" + words + "]"
		}
		return fmt.Sprintf(".B braid %s\n%s", roff(c.Name), line(words))
	}
	var b strings.Builder
	fmt.Fprintf(&b, ".B %s\n", roff(c.Set.Name))
	for _, f := range c.Set.Flags {
		if f.Required {
			fmt.Fprintf(&b, ".BI %s \" %s\"\n", roff("-"+f.Short), roff(f.Arg))
		}
	}
	return b.String() + ".RI [ flags ]\n"
}

// roff is the sections of one mode: its flags, examples and notes. summary
// tells first what it does.
func (s *Set) roff(mode string, summary bool) string {
	var b strings.Builder
	title := strings.ToUpper(mode)
	fmt.Fprintf(&b, ".SH %s FLAGS\n", title)
	if summary {
		b.WriteString(paragraph(s.Summary))
	}
	for _, f := range s.all() {
		b.WriteString(".TP\n")
		var spelled []string
		for _, name := range f.spellings() {
			spelled = append(spelled, `\fB`+roff(name)+`\fR`)
		}
		head := strings.Join(spelled, ", ")
		if !f.isSwitch() {
			head += ` \fI` + roff(f.Arg) + `\fR`
		}
		help := f.Help
		switch {
		case f.Required:
			help += " (required)"
		case f.Default != "":
			help += " (default " + f.Default + ")"
		}
		b.WriteString(head + "\n" + paragraph(help))
	}
	fmt.Fprintf(&b, ".SH %s EXAMPLES\n.nf\n", title)
	for _, e := range s.Examples {
		b.WriteString(line(e))
	}
	b.WriteString(".fi\n")
	fmt.Fprintf(&b, ".SH %s NOTES\n", title)
	for i, n := range s.Notes {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		b.WriteString(paragraph(n))
	}
	return b.String()
}

// environment lists the variables that stand for flags.
func (m Manual) environment() string {
	var b strings.Builder
	seen := map[string]bool{}
	for _, c := range m.Commands {
		if c.Set == nil {
			continue
		}
		for _, f := range append(slices.Clone(c.Set.Flags), configFlag) {
			if seen[f.Long] {
				continue
			}
			seen[f.Long] = true
			fmt.Fprintf(&b, ".TP\n.B %s\n%s", roff(f.env()), line("the same as --"+f.Long))
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return ".SH ENVIRONMENT\n" + b.String()
}

// roff escapes text (groff(7), man(7)): a plain - would become a hyphen, which
// nobody can paste into a shell.
func roff(s string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(s)
}

// line is text on a line of its own, which must not look like a request.
func line(s string) string {
	s = roff(strings.TrimSpace(s))
	if s == "" {
		return ""
	}
	if s[0] == '.' {
		s = `\&` + s
	}
	return s + "\n"
}

// paragraph is text that is filled, in lines of at most 80 bytes as long as its words allow.
func paragraph(s string) string {
	var b strings.Builder
	for l := range strings.SplitSeq(wrap(roff(s), 0), "\n") {
		if strings.HasPrefix(l, ".") {
			l = `\&` + l
		}
		b.WriteString(l + "\n")
	}
	return b.String()
}

// argument is text as one argument of a request.
func argument(s string) string { return `"` + strings.ReplaceAll(roff(s), `"`, `\(dq`) + `"` }
