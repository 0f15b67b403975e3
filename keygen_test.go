package main

import (
	"bytes"
	"regexp"
	"testing"
)

func TestPrintKey(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		var out bytes.Buffer
		if err := printKey(&out); err != nil {
			t.Fatal(err)
		}
		// 26 characters of 32 kinds: 130 bits.
		if !regexp.MustCompile(`^[A-Z2-7]{26,}\n$`).MatchString(out.String()) {
			t.Fatalf("got %q", out.String())
		}
		seen[out.String()] = true
	}
	if len(seen) != 100 {
		t.Errorf("%d different keys of 100", len(seen))
	}
	if err := printKey(&fullDisk{}); err == nil {
		t.Error("a key that could not be printed is no error")
	}
}
