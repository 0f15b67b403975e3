package main

import (
	"os"
	"runtime"
)

// crowdSlots is how many slots a server has at least.
const crowdSlots = 8

// slotsAreChosen reports whether the user says how many goroutines may run at once: so many it is.
func slotsAreChosen() bool { return os.Getenv("GOMAXPROCS") != "" }

// overlap lets goroutines run while others copy in the kernel: there a goroutine keeps
// its slot until the runtime takes it away, tens of µs to 10 ms later. With twice as many
// slots as cores a download over quic takes 0.9 of the time on two cores, over tls 0.96, and over tcp as long.
func overlap() {
	if !slotsAreChosen() {
		runtime.GOMAXPROCS(2 * runtime.GOMAXPROCS(0))
	}
}

// holdOwn lets a server have its part of the cores among many clients on the same machine: the system
// shares them out by thread, and the clients only wait for what the server does not get to send.
func holdOwn() {
	if !slotsAreChosen() {
		runtime.GOMAXPROCS(max(crowdSlots, runtime.GOMAXPROCS(0)))
	}
}
