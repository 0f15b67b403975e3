package main

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// schedstat tells how long this process has waited for a core, loadavg how many wait in the whole system
// (proc(5)). Where they cannot be read they tell nothing.
func schedstat() string { return read("/proc/self/schedstat") }
func loadavg() string   { return read("/proc/loadavg") }

func read(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}

// sleepLonger lets all threads wake up crowdSlack later than they ask for (PR_SET_TIMERSLACK, prctl(2)). The
// runtime's watchdog asks for 20 µs for as long as anything runs, and in a crowd that goes for every process. A
// thread can tell only about itself and those that it starts, and the watchdog is older than main: so
// the program is executed once more. Where that does not work it goes on as it is.
func sleepLonger() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	usual, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || usual >= int(crowdSlack) {
		return
	}
	program, err := os.Executable()
	if err != nil || unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(crowdSlack), 0, 0, 0) != nil {
		return
	}
	_ = syscall.Exec(program, os.Args, os.Environ()) // comes back only if it has failed
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(usual), 0, 0, 0)
}
