package main

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The longest name has room at the left, and the longest bar at the right.
func TestPictureHasRoom(t *testing.T) {
	const letter = 7 // what a letter of 14 pixels takes
	name := strings.Repeat("w", 60)
	svg := string(picture([]*row{
		{name: "a", got: []sample{{wall: time.Second}}},
		{name: name, got: []sample{{wall: time.Minute}}},
	}, 1<<30))
	number := func(pattern string) int {
		t.Helper()
		found := regexp.MustCompile(pattern).FindStringSubmatch(svg)
		if found == nil {
			t.Fatalf("no %s in %s", pattern, svg)
		}
		n, _ := strconv.Atoi(found[1])
		return n
	}
	if end := number(`<text x="(\d+)" y="\d+" text-anchor="end">` + name); end < letter*len(name) {
		t.Errorf("a name of %d letters ends at %d", len(name), end)
	}
	if end, width := number(`<text x="(\d+)" y="\d+">1074<`), number(`viewBox="0 0 (\d+) `); end+4*letter+letter > width {
		t.Errorf("a number begins at %d of %d", end, width)
	}
}
