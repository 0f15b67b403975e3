package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"braid/client"
	"braid/flags"
	"braid/segment"
)

func TestExit(t *testing.T) {
	for _, test := range []struct {
		err  error
		code int
		line string
	}{
		{nil, 0, ""},
		{errors.New("first\nsecond \x1b[31mred\n"), 1, "braid: first; second ?[31mred\n"},
		{&flags.Error{Flag: "--interval/-i", Value: "0", Reason: "want more"}, 2, "braid: --interval/-i: \"0\": want more\n"},
		{&client.IntegrityError{Reason: "no majority"}, 3, "braid: no majority\n"},
		{&segment.DiskError{Op: "create", Path: "x", Err: fs.ErrPermission}, 4, "braid: create x: permission denied\n"},
		{&client.NoServerError{Wait: time.Second}, 5, "braid: no server answered within 1s\n"},
		{&client.RefusedError{Reason: "wrong key"}, 6, "braid: wrong key\n"},
		{&client.InterruptedError{Path: "x"}, 130, "braid: interrupted; the state is saved in x, -r goes on from there\n"},
		{context.Canceled, 130, "braid: context canceled\n"},
	} {
		for _, err := range []error{test.err, fmt.Errorf("wrapped: %w", test.err)} {
			line := test.line
			if err != test.err {
				if test.err == nil {
					continue
				}
				line = strings.Replace(line, "braid: ", "braid: wrapped: ", 1)
			}
			var stdout, stderr bytes.Buffer
			code := exit(&stdout, &stderr, err)
			if code != test.code || stderr.String() != line || stdout.Len() > 0 {
				t.Errorf("%v: exit code %d, stderr %q, stdout %q; want %d, %q", err, code, &stderr, &stdout, test.code, line)
			}
		}
	}
}

// TestExitCodeOfSeveral holds which error decides: a last failure inside "no
// server answered" may be of any kind.
func TestExitCodeOfSeveral(t *testing.T) {
	err := errors.Join(&client.InterruptedError{}, &segment.DiskError{Err: fs.ErrClosed})
	if got := exitCode(err); got != codeInterrupted {
		t.Errorf("interrupted: got %d", got)
	}
	if got := exitCode(&client.NoServerError{Last: context.Canceled}); got != codeNoServer {
		t.Errorf("no server: got %d", got)
	}
}

func TestExitHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := exit(&stdout, &stderr, &flags.ErrHelp{Text: "text\n"}); code != 0 || stdout.String() != "text\n" || stderr.Len() > 0 {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, &stdout, &stderr)
	}
	if code := exit(brokenPipe{}, &stderr, &flags.ErrHelp{Text: "text\n"}); code != 1 || stderr.String() != "braid: print the usage text: broken pipe\n" {
		t.Errorf("exit code %d, stderr %q", code, &stderr)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }
