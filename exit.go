package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"braid/client"
	"braid/flags"
	"braid/segment"
)

// The exit codes, which the README documents.
const (
	codeDone        = 0
	codeFailure     = 1 // any failure that has no code of its own
	codeUsage       = 2 // command line, environment or config file
	codeIntegrity   = 3 // the content that is asked for cannot be had
	codeDisk        = 4 // the local disk
	codeNoServer    = 5 // no server answered
	codeRefused     = 6 // every server that answers refuses us
	codeInterrupted = 130
)

// exit is the one place where an error becomes an exit code and a line on
// stderr.
func exit(stdout, stderr io.Writer, err error) int {
	var (
		help   *flags.ErrHelp
		noMode *errNoMode
	)
	switch {
	case err == nil:
		return codeDone
	case errors.As(err, &help):
		if _, err := io.WriteString(stdout, help.Text); err != nil {
			return exit(stdout, stderr, fmt.Errorf("print the usage text: %w", err))
		}
		return codeDone
	case errors.As(err, &noMode):
		fmt.Fprintf(stderr, "braid: %s\n\n%s", noMode, usage)
		return codeUsage
	}
	fmt.Fprintf(stderr, "braid: %s\n", oneLine(err.Error()))
	return exitCode(err)
}

// exitCode is the code for a failure. What wraps comes before what it may wrap.
func exitCode(err error) int {
	var (
		interrupted *client.InterruptedError
		usage       *flags.Error
		integrity   *client.IntegrityError
		disk        *segment.DiskError
		refused     *client.RefusedError
		noServer    *client.NoServerError
	)
	switch {
	case errors.As(err, &interrupted):
		return codeInterrupted
	case errors.As(err, &usage):
		return codeUsage
	case errors.As(err, &noServer):
		return codeNoServer
	case errors.As(err, &integrity):
		return codeIntegrity
	case errors.As(err, &disk):
		return codeDisk
	case errors.As(err, &refused):
		return codeRefused
	case errors.Is(err, context.Canceled):
		return codeInterrupted
	}
	return codeFailure
}

// oneLine makes an error's text fit for one line of a terminal.
func oneLine(text string) string {
	text = strings.ReplaceAll(strings.TrimSpace(text), "\n", "; ")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}
