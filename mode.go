package main

import (
	"slices"
	"strings"

	"braid/flags"
)

// mode is what the program is to be.
type mode string

const (
	modeServer     mode = "server"
	modeClient     mode = "client"
	modeDemo       mode = "demo"
	modeKeygen     mode = "keygen"
	modeCompletion mode = "completion"
	modeMan        mode = "man"
	modeVersion    mode = "version"
	modeHelp       mode = "help"
)

// modeNames lists all modes.
func modeNames() []string {
	var names []string
	for _, m := range []mode{modeServer, modeClient, modeDemo, modeKeygen, modeCompletion, modeMan, modeVersion, modeHelp} {
		names = append(names, string(m))
	}
	return names
}

// modeEnv is the environment variable that names the mode when nothing else does.
const modeEnv = "BRAID_MODE"

// chooseMode finds the mode: by the first word, by --mode, by the name of the
// program, by the environment, in this order. It returns the arguments that
// are left for the mode. The error is an *errNoMode where nothing names one. Who
// asks for help gets it, whatever is wrong with the mode.
func chooseMode(argv []string, env string) (mode, []string, error) {
	m, args, err := findMode(argv, env)
	if err != nil && asksHelp(argv) {
		return modeHelp, nil, nil
	}
	return m, args, err
}

// asksHelp is for command lines that no table of flags reads.
func asksHelp(args []string) bool {
	return slices.ContainsFunc(args, func(a string) bool { return a == "-h" || a == "-help" || a == "--help" })
}

func findMode(argv []string, env string) (mode, []string, error) {
	var name string
	var args []string
	if len(argv) > 0 {
		name, args = argv[0], argv[1:]
	}
	var word mode
	if len(args) > 0 {
		if word = modeOfWord(args[0]); word != "" {
			args = args[1:]
		}
	}
	flag, args, err := takeModeFlag(args)
	if err != nil {
		return "", nil, err
	}
	switch {
	case word != "":
		return word, args, nil
	case flag != "":
		return flag, args, nil
	case modeOfName(name) != "":
		return modeOfName(name), args, nil
	case env != "":
		m, err := parseMode(modeEnv, env)
		return m, args, err
	}
	e := &errNoMode{}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		e.word = args[0]
	}
	return "", nil, e
}

// modeOfWord is the mode that a first word names, or empty.
func modeOfWord(word string) mode {
	switch {
	case slices.Contains(modeNames(), word):
		return mode(word)
	case word == "--version":
		return modeVersion
	}
	return ""
}

// modeOfName is the mode that the program's own name names, or empty. The name
// may be a path of any system.
func modeOfName(path string) mode {
	name := strings.ToLower(path[strings.LastIndexAny(path, `/\`)+1:])
	for _, m := range []mode{modeServer, modeClient} {
		if strings.HasPrefix(name, string(m)) {
			return m
		}
	}
	return ""
}

// takeModeFlag takes --mode=M and --mode M out of args; the last one holds.
func takeModeFlag(args []string) (m mode, rest []string, err error) {
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			rest = append(rest, args[i:]...)
			break
		}
		name, value, attached := strings.Cut(args[i], "=")
		if name != "--mode" && name != "-mode" {
			rest = append(rest, args[i])
			continue
		}
		if !attached {
			if i++; i == len(args) {
				return "", nil, &flags.Error{Flag: "--mode", Missing: true, Reason: "needs a value, server or client"}
			}
			value = args[i]
		}
		if m, err = parseMode("--mode", value); err != nil {
			return "", nil, err
		}
	}
	return m, rest, nil
}

// parseMode reads the value of --mode or BRAID_MODE.
func parseMode(source, value string) (mode, error) {
	switch m := mode(strings.ToLower(value)); m {
	case modeServer, modeClient:
		return m, nil
	}
	return "", &flags.Error{Flag: source, Value: value, Reason: "unknown mode, want server or client"}
}

// errNoMode is the error of a command line that names no mode. word is a first
// word that is none, or empty.
type errNoMode struct{ word string }

func (e *errNoMode) Error() string {
	if e.word != "" {
		return "unknown mode " + strings.TrimSpace(oneLine(e.word)) + ", want " + flags.Either(modeNames())
	}
	return "no mode, want server or client as the first word"
}
