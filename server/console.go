package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// verb is what a console command does.
type verb int

const (
	verbUnknown verb = iota
	verbStop
	verbStart
	verbQuit
)

// command is a line typed at the server.
type command struct {
	verb   verb
	server int // from 1; of stop and start
}

// parseCommand reads a line, in any letter case.
func parseCommand(line string, servers int) command {
	word := strings.TrimSpace(line)
	switch word {
	case "":
		return command{}
	case "Q", "q":
		return command{verb: verbQuit}
	}
	// Not by strings.ToUpper, for which "ſ" is an S too.
	verbs := map[byte]verb{'E': verbStop, 'e': verbStop, 'S': verbStart, 's': verbStart}
	n, err := strconv.ParseUint(strings.TrimSpace(word[1:]), 10, 31)
	if v := verbs[word[0]]; v != verbUnknown && err == nil && n >= 1 && int(n) <= servers {
		return command{verb: v, server: int(n)}
	}
	return command{}
}

// help is what anything else is answered with.
func help(servers int) string {
	if servers == 1 {
		return "commands: E1 shuts the server down, S1 starts it again, Q ends the program"
	}
	return fmt.Sprintf("commands: E1…E%d shut a server down, S1…S%[1]d start it again, Q ends the program", servers)
}

// consoleLine bounds a line: what is longer is no command.
const consoleLine = 4 << 10

// readConsole sends the commands typed on r to out. It cannot be called back from a
// blocked read of a terminal: it ends with the process then.
//
// The end of input is no command, and need not be the last word: after Ctrl-D a
// terminal goes on, and a named pipe when somebody opens it again. A terminal says
// EIO to a program in the background, which may come to the front again.
func readConsole(ctx context.Context, r io.Reader, servers int, out chan<- command) {
	lines := bufio.NewReaderSize(r, consoleLine)
	for {
		line, prefix, err := lines.ReadLine()
		if (err == io.EOF || errors.Is(err, syscall.EIO)) && pause(ctx) {
			continue
		}
		if err != nil {
			return
		}
		c := parseCommand(string(line), servers)
		for more := prefix; more && err == nil; {
			c = command{}
			_, more, err = lines.ReadLine()
		}
		select {
		case out <- c:
		case <-ctx.Done():
			return
		}
	}
}

// lookAgain is how often input that has ended is looked at.
const lookAgain = 250 * time.Millisecond

// pause waits before input is looked at again, and reports whether ctx lives on.
func pause(ctx context.Context) bool {
	select {
	case <-time.After(lookAgain):
		return true
	case <-ctx.Done():
		return false
	}
}
