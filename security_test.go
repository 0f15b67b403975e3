package main

import (
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// TestSecurityPage holds that every test which docs/security.md names exists, and
// that it names enough of them.
func TestSecurityPage(t *testing.T) {
	source, err := parseSource(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	exists := map[string]bool{}
	for name, file := range source {
		if !strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, f := range functions(file) {
			exists[f.Name.Name] = exists[f.Name.Name] || f.Recv == nil
		}
	}
	page := readText(t, path.Join("docs", "security.md"))
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`").FindAllStringSubmatch(page, -1)
	for _, match := range named {
		if !exists[match[1]] {
			t.Errorf("docs/security.md names %s, which does not exist", match[1])
		}
	}
	if len(named) < 40 {
		t.Errorf("docs/security.md names %d tests", len(named))
	}
	// A promise has a test: each row of a table names one.
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| what ") && !strings.Contains(line, "`Test") && !strings.Contains(line, "`Fuzz") {
			t.Errorf("no test is named for: %s", line)
		}
	}
}
