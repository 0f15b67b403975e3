package main

import (
	"fmt"
	"os"
	"strings"
)

// highWater is the largest resident set that a process has had since exec, in bytes
// (proc_pid_status(5)); 0 when it has ended.
func highWater(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	var kib int64
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	fmt.Sscan(rest, &kib)
	return kib << 10
}
