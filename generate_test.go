package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"braid/flags"
	"braid/transport"
)

func script(t *testing.T, shell string) string {
	t.Helper()
	var b bytes.Buffer
	if err := completion(&b, transport.Builtin().Names(), []string{shell}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// askShell runs a shell on lines, in an empty folder with the script of that shell in
// the file script. It returns the output, or fails. Where the machine has no such
// shell, the test is skipped.
func askShell(t *testing.T, shell, lines string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(shell)
	if err != nil {
		t.Skipf("%s is not installed: what it makes of its script is not tried", shell)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "script"), []byte(script(t, shell)), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, append(args, lines)...)
	cmd.Dir, cmd.Env = folder, append(os.Environ(), "HOME="+folder, "LC_ALL=C")
	b, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", shell, err, b)
	}
	return string(b)
}

// ofMode is what a script has for one mode: in fish a line of each flag, in
// PowerShell and zsh a list, in bash a line. The second group is the mode.
var ofMode = regexp.MustCompile(`(?m)^(complete .*__fish_seen_subcommand_from |\t|        ')([a-z]+)(?:' (?:-s . )?-l .*$|\) COMPREPLY.*$|\)\n\t\t_arguments(?:.*\n)+?\t\t;;$|' = @\(\n(?:.*\n)*?        \)$)`)

// The texts know every mode.
func TestModesAreListed(t *testing.T) {
	var names []string
	for _, c := range commands(transport.Builtin().Names()) {
		names = append(names, c.Name)
		if !regexp.MustCompile(`(?m)^  ` + c.Name + `\b`).MatchString(usage) {
			t.Errorf("the usage text has no mode %s", c.Name)
		}
	}
	if !slices.Equal(names, modeNames()) {
		t.Errorf("completion and manual have the modes %v, want %v", names, modeNames())
	}
}

// Every mode, every flag and every value is in every script, so that they cannot drift.
func TestCompletionIsWhole(t *testing.T) {
	names := transport.Builtin().Names()
	for _, shell := range flags.Shells() {
		s := script(t, shell)
		for _, c := range commands(names) {
			if !strings.Contains(s, c.Name) {
				t.Errorf("%s: no mode %s", shell, c.Name)
			}
			if c.Set == nil {
				continue
			}
			// What is said of this mode alone.
			part := ""
			for _, m := range ofMode.FindAllStringSubmatchIndex(s, -1) {
				if s[m[4]:m[5]] == c.Name {
					part += s[m[0]:m[1]]
				}
			}
			for _, f := range c.Set.Flags {
				want := "--" + f.Long
				if shell == "fish" {
					want = "-l " + f.Long + " "
				}
				if !strings.Contains(part, want) {
					t.Errorf("%s: %s has no --%s", shell, c.Name, f.Long)
				}
				for _, v := range f.Values {
					if !strings.Contains(s, v) {
						t.Errorf("%s: --%s has no %s", shell, f.Long, v)
					}
				}
			}
		}
	}
}

// The values that completion offers are taken.
func TestValuesAreTaken(t *testing.T) {
	seen := 0
	for _, c := range commands(transport.Builtin().Names()) {
		if c.Set == nil {
			continue
		}
		for _, f := range c.Set.Flags {
			for _, v := range f.Values {
				seen++
				if err := f.Set([]string{v}); err != nil {
					t.Errorf("%s --%s %s: %v", c.Name, f.Long, v, err)
				}
			}
		}
	}
	if seen < 15 {
		t.Errorf("only %d values", seen)
	}
}

func TestBash(t *testing.T) {
	for line, want := range map[string]string{
		"braid ser":                         "server",
		"braid client --rep":                "--report",
		"braid client --report ":            "text json none",
		"braid client --report = j":         "json",
		"braid client -i 2 --report =":      "text json none",
		"/usr/bin/client-linux-amd64 --dig": "--digest",
		"Server.exe --max":                  "--max-conns",
		"braid server --dig":                "",
		"braid completion z":                "zsh",
		"braid client --interval ":          "",
	} {
		words := strings.Split(line, " ")
		quoted := "'" + strings.Join(words, "' '") + "'"
		out := askShell(t, "bash", "source ./script; COMP_WORDS=("+quoted+"); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _braid; echo \"${COMPREPLY[*]}\"", "-c")
		if got := strings.TrimSpace(out); got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}

func TestFish(t *testing.T) {
	for line, want := range map[string][]string{
		"braid ser":              {"server"},
		"braid client --repo":    {"--report"},
		"braid client --report ": {"json", "none", "text"},
		"braid server --digest":  nil,
	} {
		out := askShell(t, "fish", "source ./script; complete -C '"+line+"'", "--no-config", "-c")
		var got []string
		for l := range strings.Lines(out) {
			word, _, _ := strings.Cut(strings.TrimSpace(l), "\t")
			got = append(got, word)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}

// zshAsks types lines at a zsh of its own, each with a tab, and prints what is
// offered, a line for each.
const zshAsks = `
zmodload zsh/zpty
while IFS= read -r ask; do
	zpty inner zsh -f -i
	zpty -w inner 'PROMPT=; stty -echo; autoload -U compinit; compinit -u -d ./dump; source ./script
bindkey "^I" complete-word
first() { print; print -rn - "offered:"; }
last() { print; print done; exit; }
compprefuncs=(first) comppostfuncs=(last)
compadd() {
	if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi
	local -a hits
	builtin compadd -A hits "$@"
	print -rn - " $hits"
}
print ready'
	while zpty -r inner line && [[ $line != ready* ]]; do :; done
	zpty -w -n inner "${ask%.}"$'\t'
	while zpty -r inner line && [[ $line != done* ]]; do
		[[ $line == offered:* ]] && print -r - ${line%%$'\r'*}
	done
	zpty -d inner
done <asks
`

func TestZsh(t *testing.T) {
	var asks, want strings.Builder
	for _, c := range [][2]string{
		{"braid ser", "server"},
		{"braid client --rep", "--report"},
		{"braid client --report ", "text json none"},
		{"braid client --report=j", "json"},
		{"braid server -i 2 --transport q", "quic quic+zstd"},
		{"braid completion z", "zsh"},
		{"braid server --dig", ""},
		{"braid server -f scr", "script"},
	} {
		fmt.Fprintf(&asks, "%s.\n", c[0])
		fmt.Fprintf(&want, "%s\n", c[1])
	}
	out := askShell(t, "zsh", "zsh -n ./script && print -rn - "+"'"+asks.String()+"'"+" >asks\n"+zshAsks, "-f", "-c")
	var got strings.Builder
	for line := range strings.Lines(out) {
		words := strings.Fields(strings.TrimPrefix(line, "offered:"))
		got.WriteString(strings.Join(words, " ") + "\n")
	}
	if got.String() != want.String() {
		t.Errorf("zsh offers\n%swant\n%s", got.String(), want.String())
	}
}

// No quote or bracket of the PowerShell script is left open: it is only read there, not run.
func TestPowerShell(t *testing.T) {
	s := regexp.MustCompile(`(?m)^ *#.*$`).ReplaceAllString(script(t, "powershell"), "")
	s = regexp.MustCompile(`'(?:[^'\n]|'')*'`).ReplaceAllString(s, "")
	var open []rune
	pairs := map[rune]rune{')': '(', ']': '[', '}': '{'}
	for _, r := range s {
		switch r {
		case '(', '[', '{':
			open = append(open, r)
		case ')', ']', '}':
			if len(open) == 0 || open[len(open)-1] != pairs[r] {
				t.Fatalf("%c closes nothing", r)
			}
			open = open[:len(open)-1]
		case '\'', '"':
			t.Fatalf("a quote is left open before %.40q", s)
		}
	}
	if len(open) > 0 {
		t.Errorf("%c is left open", open)
	}
}

func TestCompletionAndManualArguments(t *testing.T) {
	for _, c := range []struct {
		run  func(args []string) error
		args []string
		want string
	}{
		{completionTo, nil, "completion: no shell, want bash, zsh, fish, powershell"},
		{completionTo, []string{"tcsh"}, `completion: "tcsh": want one of bash, zsh, fish, powershell`},
		{completionTo, []string{"fishy", "bash"}, `completion: "fishy": want one of bash, zsh, fish, powershell`},
		{completionTo, []string{"bash", "zsh"}, `completion: "zsh": stray word, want one of bash, zsh, fish, powershell`},
		{manualTo, []string{"demo"}, `man: "demo": want one of server, client`},
		{manualTo, nil, ""},
	} {
		err := c.run(c.args)
		var usage *flags.Error
		switch {
		case c.want == "" && err != nil, c.want != "" && (!errors.As(err, &usage) || err.Error() != c.want):
			t.Errorf("%q: got %v, want %s", c.args, err, c.want)
		}
		var help *flags.ErrHelp
		if err := c.run([]string{"--help"}); !errors.As(err, &help) || !strings.HasPrefix(help.Text, "Usage: braid ") {
			t.Errorf("--help: %v", err)
		}
	}
}

func completionTo(args []string) error { return completion(&bytes.Buffer{}, []string{"tcp"}, args) }
func manualTo(args []string) error     { return manual(&bytes.Buffer{}, []string{"tcp"}, args) }

// Every flag is in the manual with its help, its default and its variable.
func TestManual(t *testing.T) {
	plain := strings.NewReplacer(`\-`, "-", `\(aq`, "'", `\(ga`, "`", `\(ti`, "~", `\(ha`, "^", `\fB`, "", `\fI`, "", `\fR`, "", `\e`, `\`)
	for _, args := range [][]string{nil, {"server"}, {"client"}} {
		var b bytes.Buffer
		if err := manual(&b, transport.Builtin().Names(), args); err != nil {
			t.Fatal(err)
		}
		raw := plain.Replace(b.String())
		page := strings.ReplaceAll(raw, "\n", " ") // texts are filled
		for _, c := range commands(transport.Builtin().Names()) {
			if c.Set == nil || args != nil && c.Name != args[0] {
				continue
			}
			for _, f := range c.Set.Flags {
				for _, want := range []string{"--" + f.Long, f.Help, "BRAID_" + strings.ToUpper(strings.ReplaceAll(f.Long, "-", "_"))} {
					if !strings.Contains(page, want) {
						t.Errorf("%v: no %q", args, want)
					}
				}
			}
			for _, e := range c.Set.Examples {
				if !strings.Contains(raw, "\n"+e+"\n") {
					t.Errorf("%v: no example %q", args, e)
				}
			}
		}
	}
}

// groff has nothing to complain of.
func TestManualIsFormatted(t *testing.T) {
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("groff is not installed: the pages are not formatted")
	}
	for _, args := range [][]string{nil, {"server"}, {"client"}} {
		var b bytes.Buffer
		if err := manual(&b, transport.Builtin().Names(), args); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(groff, "-man", "-ww", "-Tascii", "-P-cbou")
		cmd.Stdin = &b
		var complaints bytes.Buffer
		cmd.Stderr = &complaints
		out, err := cmd.Output()
		if err != nil || complaints.Len() > 0 || !bytes.Contains(out, []byte("--transport NAME")) {
			t.Errorf("%v: groff: %v, %s", args, err, complaints.String())
		}
	}
}

// The texts say which flags may be repeated, and that the environment can name
// the config file.
func TestRepetitionAndConfigAreTold(t *testing.T) {
	readme := section(t, "## Flags")
	var page bytes.Buffer
	if err := manual(&page, transport.Builtin().Names(), nil); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(readme, "BRAID_CONFIG") || !strings.Contains(page.String(), ".B BRAID_CONFIG\n") {
		t.Error("no BRAID_CONFIG in README.md, or none among the manual's variables")
	}
	for _, c := range commands(transport.Builtin().Names()) {
		if c.Set == nil {
			continue
		}
		notes := strings.Join(c.Set.Notes, "\n")
		repeated := regexp.MustCompile(`(?m)^.* may be repeated`).FindString(notes)
		if !strings.Contains(notes, "BRAID_CONFIG") {
			t.Errorf("%s: no BRAID_CONFIG in the notes", c.Name)
		}
		for _, f := range c.Set.Flags {
			name := "-" + f.Short
			if f.Short == "" {
				name = "--" + f.Long
			}
			if strings.Contains(repeated, name) != f.List {
				t.Errorf("%s: %s may be repeated: %v, and the notes say %q", c.Name, name, f.List, repeated)
			}
			if f.List && !strings.Contains(readme, "`"+name+"`") {
				t.Errorf("README.md does not say that %s may be repeated", name)
			}
		}
	}
}

// No text line of the source is longer than mandoc(1) likes, but for examples, and
// no macro stands where it does nothing.
func TestManualSource(t *testing.T) {
	for _, args := range [][]string{nil, {"server"}, {"client"}} {
		var b bytes.Buffer
		if err := manual(&b, transport.Builtin().Names(), args); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), ".br\n.SH") {
			t.Errorf("%v: .br at the end of a section", args)
		}
		inExample := false
		for line := range strings.Lines(b.String()) {
			switch strings.TrimSpace(line) {
			case ".nf":
				inExample = true
			case ".fi":
				inExample = false
			}
			if len(line) > 81 && !inExample && !strings.HasPrefix(line, ".") {
				t.Errorf("%v: %d bytes: %s", args, len(line), line)
			}
		}
	}
}
