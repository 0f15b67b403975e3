package main

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// giveWay makes the whole process one that waits for its turn when it is woken (SCHED_BATCH,
// sched(7)). A client is woken by all that comes; as an ordinary process it takes the core away from whoever
// has it then: from a server on the same machine, that is still sending, or from other clients. On an idle
// core nothing changes. Who has chosen another policy or niceness for us keeps it.
func giveWay() {
	// Each thread has a policy of its own, and passes it on to those that it starts: the ones
	// that the runtime starts meanwhile are found when nothing was left to change.
	for changed := true; changed; {
		changed = false
		threads, _ := os.ReadDir("/proc/self/task")
		for _, t := range threads {
			tid, err := strconv.Atoi(t.Name())
			changed = err == nil && toBatch(tid) || changed
		}
	}
}

// toBatch reports whether it has made an ordinary thread one that waits for its turn.
func toBatch(tid int) bool {
	attr, err := unix.SchedGetAttr(tid, 0)
	if err != nil || attr.Policy != unix.SCHED_NORMAL {
		return false
	}
	attr.Policy = unix.SCHED_BATCH
	return unix.SchedSetAttr(tid, attr, 0) == nil
}
