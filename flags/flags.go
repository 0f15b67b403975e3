// Package flags is the command line that both modes share: a table of flags,
// read from the command line, the environment and a config file, in this order
// of precedence, whichever spelling of a flag was used.
//
// The parsing is that of the standard flag package and of peterbourgon/ff. The
// argument list is normalised first, because ff does not know that -i and
// --interval are one flag, and the standard package stops at the bare words
// of "-p 9001 9002".
package flags

import (
	"errors"
	"flag"
	"io"
	"slices"
	"strings"

	"github.com/peterbourgon/ff/v3"
)

// envPrefix precedes the upper-case long name of a flag in the environment.
const envPrefix = "BRAID"

// Flag is a row of the table: all that is known about a flag.
type Flag struct {
	// Long is the name without dashes; it is also the name in a config file.
	Long string
	// Short is the one-letter name, or empty.
	Short string
	// Arg names the value in the usage text, such as SECONDS. A flag with no
	// Arg is a switch: it takes no value, or =true or =false. The value of
	// FILE and DIR is completed as the name of a file or a folder.
	Arg string
	// Default is shown in the usage text; Parse does not apply it.
	Default string
	// Values are all words that the value may be, where they can be listed.
	Values []string
	// Help says in a few words what the flag is for.
	Help string
	// Required makes Parse fail where the flag was given nowhere.
	Required bool
	// List keeps the values of a repeated flag; otherwise the last one holds.
	List bool
	// Words makes the bare words that follow the flag's value part of it.
	Words bool
	// Secret keeps the value out of error messages.
	Secret bool
	// Set takes what was given: at least one value, and just one unless List
	// is set. Its error says what would be right; Parse adds the flag, the
	// value and where it came from. It is not called for a flag that was not
	// given.
	Set func(values []string) error
}

func (f *Flag) isSwitch() bool { return f.Arg == "" }

// spelled is the flag as messages name it: --ports/-p.
func (f *Flag) spelled() string {
	if f.Short == "" {
		return "--" + f.Long
	}
	return "--" + f.Long + "/-" + f.Short
}

// env is the flag's name in the environment.
func (f *Flag) env() string {
	return envPrefix + "_" + strings.ToUpper(strings.ReplaceAll(f.Long, "-", "_"))
}

// Set is the command line of one mode.
type Set struct {
	// Name is what is typed before the flags, such as "braid client".
	Name string
	// Summary says in a sentence or two what the mode does.
	Summary string
	// Flags is the table, in the order of the usage text. --config and --help
	// are understood in every set and need no row.
	Flags []Flag
	// Examples are command lines for the usage text.
	Examples []string
	// Notes are paragraphs that end the usage text.
	Notes []string

	given map[string]*collector
}

// collector keeps what was given for one flag; it is the flag.Value that ff
// sees. Reading the values comes later, when it is known where they are from.
type collector struct {
	flag   *Flag
	values []string
	source string
	now    *string // where ff is reading
}

// String is what holds of the values, as one text.
func (c *collector) String() string {
	if c.flag == nil { // the standard package asks a zero value
		return ""
	}
	return strings.Join(c.held(), ",")
}

// held is all values of a list, the last one otherwise.
func (c *collector) held() []string {
	if len(c.values) > 1 && !c.flag.List {
		return c.values[len(c.values)-1:]
	}
	return c.values
}

func (c *collector) Set(v string) error {
	c.values = append(c.values, v)
	c.source = *c.now
	return nil
}

const (
	configName = "config"
	helpName   = "help"
)

var (
	configFlag = Flag{Long: configName, Arg: "FILE", Help: "read flags from a file with lines of \"long-name value\"; # begins a comment"}
	helpFlag   = Flag{Long: helpName, Short: "h", Help: "show this text"}
)

// all is the table with the rows that every set has.
func (s *Set) all() []Flag {
	return append(slices.Clone(s.Flags), configFlag, helpFlag)
}

// lookup finds a flag by its long or short name; nil if there is none.
func lookup(table []Flag, name string) *Flag {
	for i := range table {
		if f := &table[i]; name != "" && (name == f.Long || name == f.Short) {
			return f
		}
	}
	return nil
}

// Parse reads args, the environment and the config file, and calls Set of
// every flag that was given. The error is an [*Error], or an [*ErrHelp] where
// the command line asked for help.
func (s *Set) Parse(args []string) error {
	table := s.all()
	args, err := normalise(table, args)
	if err != nil {
		return s.explain(err)
	}
	if err := s.collect(table, args); err != nil {
		return err
	}
	for i := range s.Flags {
		f := &s.Flags[i]
		values := s.given[f.Long].held()
		if len(values) == 0 {
			continue
		}
		if err := f.Set(values); err != nil {
			return s.reject(f, strings.Join(values, ","), err)
		}
	}
	return s.missing()
}

// explain turns what normalise found into what Parse returns.
func (s *Set) explain(err error) error {
	if errors.Is(err, errHelp) {
		return &ErrHelp{Text: s.Usage()}
	}
	var e *Error
	if errors.As(err, &e) && e.Flag == "" {
		e.Reason += "; " + s.Name + " --help lists the flags"
	}
	return err
}

// collect lets ff fill s.given. args are normalised.
func (s *Set) collect(table []Flag, args []string) error {
	typed := make(map[string]bool) // by their long names
	for _, a := range args {
		name, _, _ := strings.Cut(strings.TrimPrefix(a, "--"), "=")
		typed[name] = true
	}
	fs := flag.NewFlagSet(s.Name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	s.given = make(map[string]*collector)
	now := ""
	for i := range table {
		if f := &table[i]; f.Long != helpName {
			s.given[f.Long] = &collector{flag: f, now: &now}
			fs.Var(s.given[f.Long], f.Long, f.Help)
		}
	}
	err := ff.Parse(fs, args,
		ff.WithEnvVarPrefix(envPrefix),
		ff.WithConfigFileFlag(configName),
		ff.WithConfigFileParser(func(r io.Reader, set func(name, value string) error) error {
			return parseConfig(table, s.given[configName].String(), &now, r, set)
		}))
	// ff reads the environment in the same call as the command line: what has
	// come from neither the command line nor the config file came from there.
	for i := range table {
		f := &table[i]
		if c := s.given[f.Long]; c != nil && c.source == "" && len(c.values) > 0 && !typed[f.Long] {
			c.source = f.env()
		}
	}
	var e *Error
	path := s.given[configName]
	switch {
	case err == nil && len(path.values) > 0 && path.String() == "": // which ff takes for no file
		return s.reject(&configFlag, "", errorf("empty, want the name of a file"))
	case err == nil || errors.As(err, &e):
		return err
	}
	// The table's values refuse nothing, so it is the config file that could
	// not be read.
	return s.reject(&configFlag, path.String(), reason(err))
}

// missing reports the required flags that were not given, all in one error.
func (s *Set) missing() error {
	var names, wants []string
	help := ""
	for i := range s.Flags {
		if f := &s.Flags[i]; f.Required && len(s.given[f.Long].values) == 0 {
			names = append(names, f.spelled())
			wants = append(wants, "-"+f.Short+" "+f.Arg)
			help = f.Help
		}
	}
	if names == nil {
		return nil
	}
	if len(names) > 1 {
		help = s.Name + " --help explains them"
	}
	return &Error{Flag: strings.Join(names, ", "), Missing: true,
		Reason: "required but not given, want " + strings.Join(wants, " ") + " (" + help + ")"}
}

// reject is the error for a value of f.
func (s *Set) reject(f *Flag, value string, err error) *Error {
	e := &Error{Flag: f.spelled(), Value: value, Reason: err.Error()}
	if c := s.given[f.Long]; c != nil {
		e.Source = c.source
		e.Missing = len(c.values) == 0
	}
	if f.Secret {
		e.Value, e.Missing = "", true
	}
	return e
}

// Errorf is the error for a flag whose value does not go with another one.
// The value as it was given and where it came from are added.
func (s *Set) Errorf(long, format string, args ...any) *Error {
	f := lookup(s.Flags, long)
	return s.reject(f, s.given[f.Long].String(), errorf(format, args...))
}

// CheckKey refuses the value of --key where it is of no use: over plain TCP,
// compressed or not, it would protect nothing.
func (s *Set) CheckKey(key, transport string) error {
	if base, _, _ := strings.Cut(transport, "+"); key == "" || base != "tcp" {
		return nil
	}
	return s.Errorf("key", "with --transport %s it would protect nothing, want tls or quic (or no key)", transport)
}

// OnCommandLine reports whether the flag was given on the command line itself.
func (s *Set) OnCommandLine(long string) bool {
	c := s.given[long]
	return len(c.values) > 0 && c.source == ""
}
