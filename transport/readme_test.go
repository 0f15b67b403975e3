package transport_test

import (
	"os"
	"strings"
	"testing"
)

// TestReadmeShowsTheExample: what the README shows is what is compiled and tested.
func TestReadmeShowsTheExample(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	lf := func(b []byte) string { return strings.ReplaceAll(string(b), "\r\n", "\n") }
	_, rest, _ := strings.Cut(lf(readme), "```go\n")
	shown, _, found := strings.Cut(rest, "```\n")
	if !found || shown != lf(example) {
		t.Error("the Go code in README.md is not example_test.go")
	}
	if n := strings.Count(shown, "\n"); n >= 60 {
		t.Errorf("the example has %d lines, want less than 60", n)
	}
}
