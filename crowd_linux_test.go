package main

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// TestSleepLonger has a program executed once more, and looks at what it still is.
func TestSleepLonger(t *testing.T) {
	t.Parallel()
	if _, err := os.ReadFile("/proc/self/timerslack_ns"); err != nil {
		t.Skipf("this system does not tell the slack: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), "sleeper", "client", "-o", "a b")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`"5000000\n" %d ["client" "-o" "a b"]`, cmd.Process.Pid)
	if string(out) != want {
		t.Errorf("%s, want %s", out, want)
	}
}
