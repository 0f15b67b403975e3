package server

import (
	"bufio"
	"context"
	"errors"
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

// parseCommand reads a line, in any letter case. ok is false for an empty line.
func parseCommand(line string, servers int) (c command, ok bool) {
	word := strings.TrimSpace(line)
	if word == "" {
		return command{}, false
	}
	if word == "Q" || word == "q" {
		return command{verb: verbQuit}, true
	}
	// Not by strings.ToUpper, for which "ſ" is an S too.
	verbs := map[byte]verb{'E': verbStop, 'e': verbStop, 'S': verbStart, 's': verbStart}
	n, err := strconv.ParseUint(strings.TrimSpace(word[1:]), 10, 31)
	if v := verbs[word[0]]; v != verbUnknown && err == nil && n >= 1 && int(n) <= servers {
		return command{verb: v, server: int(n)}, true
	}
	return command{}, true
}

// consoleLine bounds a line: what is longer is no command.
const consoleLine = 4 << 10

// readConsole sends the commands typed on r to out until the end of input,
// which is no command. It cannot be called back from a blocked read of a
// terminal: it ends with the process then.
func readConsole(ctx context.Context, r io.Reader, servers int, out chan<- command) {
	lines := bufio.NewReaderSize(r, consoleLine)
	for {
		line, prefix, err := lines.ReadLine()
		if errors.Is(err, syscall.EIO) && pause(ctx) {
			continue // in the background of a terminal: it may come to the front again
		}
		if err != nil {
			return
		}
		for more := prefix; more && err == nil; {
			_, more, err = lines.ReadLine()
		}
		c, ok := parseCommand(string(line), servers)
		if !ok && !prefix {
			continue
		}
		if prefix { // and line has been overwritten
			c = command{}
		}
		select {
		case out <- c:
		case <-ctx.Done():
			return
		}
	}
}

// pause waits a second, and reports whether ctx lives on.
func pause(ctx context.Context) bool {
	select {
	case <-time.After(time.Second):
		return true
	case <-ctx.Done():
		return false
	}
}
