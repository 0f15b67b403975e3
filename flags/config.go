package flags

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// maxConfigLine bounds a line of a config file, in bytes.
const maxConfigLine = 1 << 20

// parseConfig reads lines of "long-name value" in the manner of
// ff.PlainParser, but names the file and the line in its errors, and keeps
// source up to date for the values that set takes.
func parseConfig(table []Flag, path string, source *string, r io.Reader, set func(name, value string) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxConfigLine)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if n == 1 {
			line = strings.TrimPrefix(line, "\ufeff") // Windows editors write one
		}
		name, value := splitLine(line)
		if name == "" {
			continue
		}
		*source = fmt.Sprintf("file %s line %d", path, n)
		if err := checkLine(table, *source, name, value); err != nil {
			return err
		}
		if value == "" {
			value = "true" // a switch
		}
		if err := set(name, value); err != nil {
			return err
		}
	}
	return lines.Err()
}

// splitLine returns an empty name for a line that says nothing.
func splitLine(line string) (name, value string) {
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, "#") {
		return "", ""
	}
	end := strings.IndexAny(line, " \t")
	if end < 0 {
		return line, ""
	}
	value = line[end:]
	for _, mark := range []string{" #", "\t#"} {
		value, _, _ = strings.Cut(value, mark)
	}
	return line[:end], strings.TrimSpace(value)
}

// checkLine refuses a name that does not belong into a config file, and a flag
// without its value.
func checkLine(table []Flag, source, name, value string) error {
	e := &Error{Source: source, Value: name}
	f := lookup(table, name)
	switch {
	case f != nil && (f.Long == configName || f.Long == helpName):
		e.Reason = "belongs on the command line, not into a config file"
	case f != nil && name != f.Long:
		e.Reason = "short names are not read from a config file, write " + f.Long
	case f != nil && value == "" && !f.isSwitch():
		e.Reason = "needs a value: " + f.Long + " " + f.Arg
	case f != nil:
		return nil
	default:
		e.Reason = "unknown name, want lines of \"long-name value\" such as \"interval 2\""
		word, _, equals := strings.Cut(name, "=")
		if equals {
			e.Value = word + "=" // what follows may be a secret
		}
		if f := closest(table, strings.TrimLeft(word, "-")); f != nil {
			e.Reason += "; did you mean " + f.Long + "?"
		}
	}
	return e
}
