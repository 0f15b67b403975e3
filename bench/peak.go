package main

import "time"

// watchPeak looks at the memory of a process that runs, until stop is called, which returns the
// peak in bytes; 0: unknown. What the system tells of a process that has ended will not do: Linux
// counts what stood there before exec, and with vfork that is this program. And when a process
// ends its memory goes first, so what it grows by in the last thirtieth of its time may be
// missed.
func watchPeak(pid int) (stop func() int64) {
	begun, peak := time.Now(), highWater(pid)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			// Often enough for a short process, and no burden beside two hundred long ones.
			pause := min(max(time.Since(begun)/30, 2*time.Millisecond), 250*time.Millisecond)
			select {
			case <-done:
				return
			case <-time.After(pause):
				peak = max(peak, highWater(pid))
			}
		}
	}()
	return func() int64 {
		close(done)
		<-ended
		return peak
	}
}
