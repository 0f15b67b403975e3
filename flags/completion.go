package flags

import (
	"fmt"
	"slices"
	"strings"
)

// Command is a first word of the program, as completion and manual show it.
type Command struct {
	Name string
	// Help says in a few words what it does.
	Help string
	// Set is its flags; nil where it takes none.
	Set *Set
	// Words are what may follow it instead of flags; one must unless Optional is set.
	Words    []string
	Optional bool
}

// flags is the table of the command, --config and --help included.
func (c *Command) flags() []Flag {
	if c.Set == nil {
		return nil
	}
	return c.Set.all()
}

// Shells are what Completion has scripts for.
func Shells() []string { return []string{"bash", "zsh", "fish", "powershell"} }

// Completion is the script that makes a shell complete the command line of
// program. It is empty for a shell that is not among Shells.
func Completion(shell, program string, commands []Command) string {
	switch shell {
	case "bash":
		return bashCompletion(program, commands)
	case "zsh":
		return zshCompletion(program, commands)
	case "fish":
		return fishCompletion(program, commands)
	case "powershell":
		return powershellCompletion(program, commands)
	}
	return ""
}

// The kinds of values, by the flag's Arg.
func (f *Flag) takesFile() bool   { return f.Arg == "FILE" }
func (f *Flag) takesFolder() bool { return f.Arg == "DIR" }

// spellings is -i and --interval, or what there is of it.
func (f *Flag) spellings() []string {
	if f.Short == "" {
		return []string{"--" + f.Long}
	}
	return []string{"-" + f.Short, "--" + f.Long}
}

// bashHead is the script up to what hangs on the flag before the cursor: of program, modes
// with | between them, modes with blanks.
const bashHead = `# bash completion for %[1]s; made by "%[1]s completion bash"
_%[1]s() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev= mode=
	((COMP_CWORD > 0)) && prev=${COMP_WORDS[COMP_CWORD-1]}
	case ${COMP_WORDS[0]##*/} in
	[Ss]erver*) mode=server ;;
	[Cc]lient*) mode=client ;;
	esac
	if ((COMP_CWORD > 1)); then
		case ${COMP_WORDS[1]} in
		%[2]s) mode=${COMP_WORDS[1]} ;;
		esac
	fi
	COMPREPLY=()
	if [[ -z $mode ]]; then
		compopt +o default +o bashdefault 2>/dev/null
		COMPREPLY=($(compgen -W '%[3]s' -- "$cur"))
		return
	fi
	# The words are split at the = of --flag=value, too.
	if [[ $cur == = ]]; then
		cur=
	elif [[ $prev == = ]] && ((COMP_CWORD > 2)); then
		prev=${COMP_WORDS[COMP_CWORD-2]}
	fi
	case "$mode $prev" in
`

func bashCompletion(program string, commands []Command) string {
	var b strings.Builder
	var names []string
	for _, c := range commands {
		names = append(names, c.Name)
	}
	fmt.Fprintf(&b, bashHead, program, strings.Join(names, "|"), strings.Join(names, " "))
	for _, c := range commands {
		for _, f := range c.flags() {
			if !f.isSwitch() {
				b.WriteString(bashValue(c.Name, &f))
			}
		}
	}
	b.WriteString("\tesac\n\tcompopt +o default +o bashdefault 2>/dev/null\n\tcase $mode in\n")
	for _, c := range commands {
		words := slices.Clone(c.Words)
		for _, f := range c.flags() {
			words = append(words, "--"+f.Long)
		}
		if words != nil {
			fmt.Fprintf(&b, "\t%s) COMPREPLY=($(compgen -W '%s' -- \"$cur\")) ;;\n", c.Name, strings.Join(words, " "))
		}
	}
	fmt.Fprintf(&b, "\tesac\n}\ncomplete -o bashdefault -o default -F _%[1]s %[1]s\n", program)
	return b.String()
}

// bashValue is the case of a flag that stands before the word to complete.
func bashValue(mode string, f *Flag) string {
	const noFiles = `compopt +o default +o bashdefault `
	var patterns []string
	for _, s := range f.spellings() {
		patterns = append(patterns, `"`+mode+" "+s+`"`)
	}
	action := noFiles + `2>/dev/null; return`
	switch {
	case f.Values != nil:
		action = noFiles + `2>/dev/null; COMPREPLY=($(compgen -W '` + strings.Join(f.Values, " ") + `' -- "$cur")); return`
	case f.takesFile():
		action = `return`
	case f.takesFolder():
		action = noFiles + `-o dirnames 2>/dev/null; return`
	}
	return fmt.Sprintf("\t%s) %s ;;\n", strings.Join(patterns, "|"), action)
}

func zshCompletion(program string, commands []Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#compdef %[1]s\n# zsh completion for %[1]s; made by \"%[1]s completion zsh\"\n_%[1]s() {\n\tlocal -a modes\n\tmodes=(\n", program)
	for _, c := range commands {
		fmt.Fprintf(&b, "\t\t%s\n", single(c.Name+":"+strings.ReplaceAll(c.Help, ":", `\:`)))
	}
	b.WriteString("\t)\n\tif ((CURRENT == 2)); then\n\t\t_describe -t modes mode modes\n\t\treturn\n\tfi\n\tlocal mode=$words[2]\n\tshift words\n\t((CURRENT--))\n\tcase $mode in\n")
	for _, c := range commands {
		if c.Set == nil && c.Words == nil {
			continue
		}
		fmt.Fprintf(&b, "\t%s)\n\t\t_arguments -S", c.Name)
		for _, f := range c.flags() {
			fmt.Fprintf(&b, " \\\n\t\t\t%s", zshSpec(&f))
		}
		if c.Words != nil {
			fmt.Fprintf(&b, " \\\n\t\t\t%s", single("1:word:("+strings.Join(c.Words, " ")+")"))
		}
		b.WriteString("\n\t\t;;\n")
	}
	fmt.Fprintf(&b, "\tesac\n}\n# Read from fpath it is the function itself, sourced it defines it.\nif [[ $funcstack[1] == _%[1]s ]]; then\n\t_%[1]s \"$@\"\nelse\n\tcompdef _%[1]s %[1]s\nfi\n", program)
	return b.String()
}

// zshSpec is a flag for _arguments: '(-i --interval)'{-i,--interval=}'[help]:SECONDS: '.
func zshSpec(f *Flag) string {
	escape := strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, ":", `\:`)
	tail := "[" + escape.Replace(f.Help) + "]"
	sign := ""
	if !f.isSwitch() {
		sign = "="
		action := " "
		switch {
		case f.Values != nil:
			action = "(" + strings.Join(f.Values, " ") + ")"
		case f.takesFile():
			action = "_files"
		case f.takesFolder():
			action = "_files -/"
		}
		tail += ":" + f.Arg + ":" + action
	}
	repeat, exclude := "", "("+strings.Join(f.spellings(), " ")+")"
	if f.List {
		repeat, exclude = "*", ""
	}
	if f.Short == "" {
		return single(exclude + repeat + "--" + f.Long + sign + tail)
	}
	return single(exclude+repeat) + "{-" + f.Short + ",--" + f.Long + sign + "}" + single(tail)
}

func fishCompletion(program string, commands []Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# fish completion for %[1]s; made by \"%[1]s completion fish\"\ncomplete -c %[1]s -f\n", program)
	for _, c := range commands {
		fmt.Fprintf(&b, "complete -c %s -n __fish_use_subcommand -a %s -d %s\n", program, c.Name, fish(c.Help))
	}
	for _, c := range commands {
		seen := fish("__fish_seen_subcommand_from " + c.Name)
		if c.Words != nil {
			fmt.Fprintf(&b, "complete -c %s -n %s -a %s\n", program, seen, fish(strings.Join(c.Words, " ")))
		}
		for _, f := range c.flags() {
			fmt.Fprintf(&b, "complete -c %s -n %s%s\n", program, seen, fishFlag(&f))
		}
	}
	return b.String()
}

// fishFlag is what complete is told of a flag.
func fishFlag(f *Flag) string {
	names := " -l " + f.Long
	if f.Short != "" {
		names = " -s " + f.Short + names
	}
	value := " -x"
	switch {
	case f.isSwitch():
		value = ""
	case f.Values != nil:
		value = " -x -a " + fish(strings.Join(f.Values, " "))
	case f.takesFile():
		value = " -r -F"
	case f.takesFolder():
		value = " -x -a '(__fish_complete_directories)'"
	}
	return names + value + " -d " + fish(f.Help)
}

// fish puts text into single quotes for fish.
func fish(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}

// powershellHead is the script up to the modes, of program; powershellTail what follows the
// values of the flags.
const (
	powershellHead = `# PowerShell completion for %[1]s; made by "%[1]s completion powershell"
Register-ArgumentCompleter -Native -CommandName %[1]s -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | ForEach-Object { $_.Extent.Text })
    $modes = @(
`
	powershellTail = `    }
    # The words that are complete: all but the one at the cursor.
    $done = $words.Count
    if ($wordToComplete -ne '') { $done-- }
    if ($done -le 1) {
        $found = $modes
    } else {
        $key = $words[1] + ' ' + $words[$done - 1]
        if ($values.ContainsKey($key)) {
            $found = @($values[$key] | ForEach-Object { ,@($_, $_) })
        } else {
            $found = $flags[$words[1]]
        }
    }
    $found | Where-Object { $_ -and $_[0].StartsWith($wordToComplete, [StringComparison]::OrdinalIgnoreCase) } | ForEach-Object {
        [System.Management.Automation.CompletionResult]::new($_[0], $_[0], 'ParameterValue', $_[1])
    }
}
`
)

func powershellCompletion(program string, commands []Command) string {
	var b strings.Builder
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	item := func(text, help string) {
		fmt.Fprintf(&b, "            ,@(%s, %s)\n", quote(text), quote(help))
	}
	fmt.Fprintf(&b, powershellHead, program)
	for _, c := range commands {
		fmt.Fprintf(&b, "        ,@(%s, %s)\n", quote(c.Name), quote(c.Help))
	}
	b.WriteString("    )\n    $flags = @{\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "        %s = @(\n", quote(c.Name))
		for _, w := range c.Words {
			item(w, w)
		}
		for _, f := range c.flags() {
			item("--"+f.Long, f.Help)
		}
		b.WriteString("        )\n")
	}
	b.WriteString("    }\n    $values = @{\n")
	for _, c := range commands {
		for _, f := range c.flags() {
			if f.Values == nil {
				continue
			}
			var values []string
			for _, v := range f.Values {
				values = append(values, quote(v))
			}
			for _, s := range f.spellings() {
				fmt.Fprintf(&b, "        %s = @(%s)\n", quote(c.Name+" "+s), strings.Join(values, ", "))
			}
		}
	}
	b.WriteString(powershellTail)
	return b.String()
}

// single puts text into single quotes for a POSIX shell.
func single(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
