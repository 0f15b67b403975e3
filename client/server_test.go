package client

import (
	"testing"
	"time"

	"braid/wire"
)

// TestPauses holds that a server that is away is dialled often enough to be missed by no more than a
// sixteenth of the time that it was away (jitter included), and one that is of no use is not.
func TestPauses(t *testing.T) {
	away := &server{}
	var gone time.Duration
	for range 100 {
		pause := away.nextPause()
		if most := firstPause*5/4 + gone/16; pause > most || pause > lastPause*5/4 || pause < firstPause*3/4 {
			t.Fatalf("a pause of %v after %v", pause, gone)
		}
		gone += pause
	}
	for name, useless := range map[string]*server{"only says hello": {hellos: 1}, "refuses": {refusal: &refusal{code: wire.Busy}}} {
		var waited time.Duration
		for range 6 {
			waited += useless.nextPause()
		}
		if waited < 2500*time.Millisecond*3/4 {
			t.Errorf("%s: six attempts within %v", name, waited)
		}
	}
}
