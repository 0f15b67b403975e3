package main

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// TestGiveWay looks at every thread of a client that is at work, and at those of its server, which
// stay as they were.
func TestGiveWay(t *testing.T) {
	t.Parallel()
	ours, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		t.Skipf("this system does not tell policies: %v", err)
	}
	want := ours.Policy
	if want == unix.SCHED_NORMAL {
		want = unix.SCHED_BATCH
	}
	servers := startSenders(t, 4, 500_000)
	defer servers.stop(t)
	p := start(t, "client", "-i", "0.02", "-o", t.TempDir(), "-a", "127.0.0.1", "-p", servers.ports,
		"--report", "json", "--progress", "never")
	threads := 0
	output := p.blocks(func(int64) {
		for _, policy := range policies(t, p.Process.Pid) {
			threads++
			if policy != want {
				t.Errorf("a thread of the client has policy %d, want %d", policy, want)
			}
		}
	})
	if code := p.end(t); code != codeDone || threads == 0 {
		t.Errorf("exit code %d, %d threads seen:\n%s", code, threads, output)
	}
	for _, policy := range policies(t, servers.Process.Pid) {
		if policy != ours.Policy {
			t.Errorf("a thread of the server has policy %d, want %d", policy, ours.Policy)
		}
	}
}

// policies are those of a process's threads, without threads that end meanwhile.
func policies(t *testing.T, pid int) (all []uint32) {
	t.Helper()
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Error(err)
	}
	for _, thread := range threads {
		tid, err := strconv.Atoi(thread.Name())
		if err != nil {
			t.Error(err)
		}
		if attr, err := unix.SchedGetAttr(tid, 0); err == nil {
			all = append(all, attr.Policy)
		}
	}
	return all
}
