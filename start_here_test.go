package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"braid/client"
	"braid/flags"
	"braid/server"
	"braid/transport"
)

// The text on the flash drive is plain, names every folder that is built, and
// its commands are taken as they stand.
func TestStartHere(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("dist-files", "START-HERE.txt"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(b), "\r\n", "\n")
	for i, line := range strings.Split(text, "\n") {
		if len(line) > 80 || strings.ContainsFunc(line, func(r rune) bool { return r > '~' || r < ' ' }) {
			t.Errorf("line %d does not look the same everywhere: %q", i+1, line)
		}
	}
	taskfile := readText(t, "Taskfile.yml")
	platforms := regexp.MustCompile(`(?m)^  PLATFORMS: *(.*)$`).FindStringSubmatch(taskfile)
	if platforms == nil {
		t.Fatal("Taskfile.yml has no PLATFORMS")
	}
	for _, p := range strings.Fields(platforms[1]) {
		if folder := strings.ReplaceAll(p, "/", "-"); !regexp.MustCompile(`(?m)[ ,]` + folder + `(,|$)`).MatchString(text) {
			t.Errorf("the folder %s is not mentioned", folder)
		}
	}

	commands := regexp.MustCompile(`(?m)^    ((?:server|client) .*)$`).FindAllStringSubmatch(text, -1)
	t.Chdir(t.TempDir())
	if err := os.WriteFile("video.mp4", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tried := map[mode]int{}
	for _, c := range commands {
		m, args, err := chooseMode(strings.Fields(c[1]), "")
		if err != nil {
			t.Errorf("%s: %v", c[1], err)
		}
		tried[m]++
		switch m {
		case modeServer:
			_, err = server.ParseFlags(args, transport.Builtin().Names())
		case modeClient:
			_, err = client.ParseFlags(args, transport.Builtin().Names())
		}
		if help := (*flags.ErrHelp)(nil); err != nil && !errors.As(err, &help) {
			t.Errorf("%s: %v", c[1], err)
		}
	}
	if tried[modeServer] < 3 || tried[modeClient] < 4 || tried[modeDemo] != 1 {
		t.Errorf("commands that were tried: %v", tried)
	}
}
