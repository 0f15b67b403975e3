package transport

import "testing"

// TestAcksWait: round trips in µs that tell of a narrow way back or a long queue, and such that do
// not.
func TestAcksWait(t *testing.T) {
	for _, test := range []struct {
		least, now uint32
		want       bool
	}{
		{30_000, 0, false}, // nothing is known yet
		{30_000, 64_000, false},
		{30_000, 66_000, true},
		{2_000, 22_000, false},
		{2_000, 24_000, true},
		{160_000, 250_000, false},
		{160_000, 320_000, true},
		{50, 100_000, false}, // a busy machine
	} {
		if got := acksWait(test.least, test.now); got != test.want {
			t.Errorf("%d µs, at the least %d: %v", test.now, test.least, got)
		}
	}
}
