package flags

import "strings"

// normalise rewrites a command line so that every word is --long=value, which
// the standard flag package reads without surprises. Bare words after a flag
// that takes Words join its value. It returns errHelp where help is asked for,
// whatever else is wrong.
func normalise(table []Flag, args []string) ([]string, error) {
	n := normaliser{table: table, rest: args}
	for len(n.rest) > 0 && n.rest[0] != "--" {
		if n.word(); n.help {
			return nil, errHelp
		}
	}
	if len(n.rest) > 1 {
		n.fail(&Error{Value: n.rest[1], Reason: "stray word, after -- there is nothing to be given"})
	}
	return n.out, n.err
}

type normaliser struct {
	table []Flag
	rest  []string // words not yet read
	out   []string
	last  *Flag // the flag before a stray word, for the hint
	help  bool
	err   error // the first mistake
}

func (n *normaliser) fail(err *Error) {
	if n.err == nil {
		n.err = err
	}
}

// word reads the next flag with its values, or a stray word.
func (n *normaliser) word() {
	word := n.rest[0]
	n.rest = n.rest[1:]
	if !isFlag(word) {
		n.stray(word)
		return
	}
	f, value, attached := n.split(word)
	if f == nil && n.near(word) == nil { // -alocalhost
		f, value, attached = n.short(word)
	}
	switch {
	case f == nil:
		n.unknown(word)
		n.last = nil
		return
	case f.Long == helpName:
		n.help = true
		return
	case attached:
	case f.isSwitch():
		value = "true"
	default:
		if value, attached = n.next(); !attached {
			n.fail(&Error{Flag: f.spelled(), Missing: true,
				Reason: "needs a value, " + f.Arg + " (one that begins with a dash is given as --" + f.Long + "=VALUE)"})
			return
		}
	}
	if f.Words {
		value = n.words(f, value)
	}
	n.out = append(n.out, "--"+f.Long+"="+value)
	n.last = f
}

// words adds the bare words that follow to a value.
func (n *normaliser) words(f *Flag, value string) string {
	for len(n.rest) > 0 && !strings.HasPrefix(n.rest[0], "-") {
		if blank(value) || blank(n.rest[0]) {
			n.fail(&Error{Flag: f.spelled(), Reason: "empty word in the list, want values with commas or blanks between them"})
		}
		value += " " + n.rest[0]
		n.rest = n.rest[1:]
	}
	return value
}

// next takes the next word as a value, unless it is a flag of ours. A dash
// alone does not make a flag: -1 is a bad interval, not an unknown flag.
func (n *normaliser) next() (string, bool) {
	if len(n.rest) == 0 || n.rest[0] == "--" {
		return "", false
	}
	word := n.rest[0]
	if isFlag(word) {
		if f, _, _ := n.split(word); f != nil {
			return "", false
		}
	}
	n.rest = n.rest[1:]
	return word, true
}

func isFlag(word string) bool { return len(word) > 1 && word[0] == '-' }

func blank(s string) bool { return strings.TrimSpace(s) == "" }

// split finds the flag that a word names without any doubt, and the value that
// is attached to it in one of the forms --ports=9001, -p=9001, -p9001.
func (n *normaliser) split(word string) (f *Flag, value string, attached bool) {
	name := strings.TrimPrefix(word[1:], "-")
	name, value, attached = strings.Cut(name, "=")
	if f := lookup(n.table, name); f != nil {
		return f, value, attached
	}
	// -p9001: only what cannot be a misspelt long name.
	if len(word) < 3 || !strings.ContainsRune(digits+"./\\", rune(word[2])) {
		return nil, "", false
	}
	return n.short(word)
}

// short reads a word as a short flag with its value attached.
func (n *normaliser) short(word string) (f *Flag, value string, attached bool) {
	if len(word) < 3 || word[1] == '-' {
		return nil, "", false
	}
	if f := lookup(n.table, word[1:2]); f != nil && !f.isSwitch() {
		return f, word[2:], true
	}
	return nil, "", false
}

// near is the flag that a misspelt word may have meant; nil if there is none.
func (n *normaliser) near(word string) *Flag {
	name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
	return closest(n.table, name)
}

func (n *normaliser) unknown(word string) {
	name, _, _ := strings.Cut(word, "=") // the value may be a secret: --kye=hunter2
	e := &Error{Value: name, Reason: "unknown flag"}
	if f := n.near(word); f != nil {
		e.Reason += ", did you mean " + f.spelled() + "?"
	}
	n.fail(e)
}

func (n *normaliser) stray(word string) {
	e := &Error{Value: word, Reason: "stray word, every value follows a flag"}
	if f := n.last; f != nil && f.Secret { // --key my secret
		e = &Error{Flag: f.spelled(), Missing: true, Reason: "a stray word follows its value, want one word; blanks in it go into quotes"}
	} else if f != nil && f.List {
		e.Reason += "; several values of " + f.spelled() + " are given with commas"
	} else if f != nil && f.isSwitch() {
		e.Reason += " and " + f.spelled() + " takes none"
	}
	n.fail(e)
}
