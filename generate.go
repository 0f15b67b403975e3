package main

import (
	"io"
	"slices"
	"strings"

	"braid/client"
	"braid/flags"
	"braid/server"
)

// commands is the first words of braid with their flags, from which completion and
// manual are made.
func commands(transports []string) []flags.Command {
	return []flags.Command{
		{Name: string(modeServer), Help: "serve a file from n virtual servers", Set: server.Flags(transports)},
		{Name: string(modeClient), Help: "download a file from many servers at once", Set: client.Flags(transports)},
		{Name: string(modeDemo), Help: "make a video, serve it from four servers, download it"},
		{Name: string(modeKeygen), Help: "print a fresh key for BRAID_KEY"},
		{Name: string(modeCompletion), Help: "print the completion script of a shell", Words: flags.Shells()},
		{Name: string(modeMan), Help: "print the manual page, or that of a mode", Words: []string{string(modeServer), string(modeClient)}, Optional: true},
		{Name: string(modeVersion), Help: "print name, version, Go version and system"},
		{Name: string(modeHelp), Help: "show the usage text, or with a mode that mode's flags",
			Words: modeNames(), Optional: true},
	}
}

// completion prints the script for the shell that args name.
func completion(w io.Writer, transports, args []string) error {
	shell, err := oneWord(modeCompletion, completionUsage, args, flags.Shells())
	if err != nil {
		return err
	}
	if shell == "" {
		return &flags.Error{Flag: string(modeCompletion), Missing: true, Reason: "no shell, want " + strings.Join(flags.Shells(), ", ")}
	}
	_, err = io.WriteString(w, flags.Completion(shell, "braid", commands(transports)))
	return err
}

// manual prints the page of the program, or of the mode that args name.
func manual(w io.Writer, transports, args []string) error {
	name, err := oneWord(modeMan, manUsage, args, []string{string(modeServer), string(modeClient)})
	if err != nil {
		return err
	}
	m := flags.Manual{
		Name: "braid", Version: programVersion(), Summary: "one file, many servers, woven back together",
		Text: []string{
			"Braid downloads one file from many servers at once, each of which has a full copy of it. The same program is server and client. " +
				"Every byte is verified against the file's BLAKE3 hash; servers that fail, lie or come back cost time, never bytes.",
			"The mode is the first word; or --mode=server, --mode=client; or the name of the program, when it begins with server or client; " +
				"or the environment variable BRAID_MODE; in this order of precedence.",
		},
		Commands: commands(transports),
		See:      []string{"braid-client(1)", "braid-server(1)", "b3sum(1)"},
	}
	for _, c := range m.Commands {
		if c.Name == name {
			m.Name, m.Summary, m.Text = "braid-"+name, c.Help, []string{c.Set.Summary}
			m.Commands, m.See = []flags.Command{c}, []string{"braid(1)"}
			break
		}
	}
	_, err = io.WriteString(w, m.Roff())
	return err
}

// oneWord is the word that args hold, one of known, or empty where there is none.
func oneWord(m mode, text string, args, known []string) (string, error) {
	if asksHelp(args) {
		return "", &flags.ErrHelp{Text: text}
	}
	if len(args) == 0 {
		return "", nil
	}
	want := "want one of " + strings.Join(known, ", ")
	if !slices.Contains(known, args[0]) {
		return "", &flags.Error{Flag: string(m), Value: args[0], Reason: want}
	}
	if len(args) > 1 {
		return "", &flags.Error{Flag: string(m), Value: args[1], Reason: "stray word, " + want}
	}
	return args[0], nil
}
