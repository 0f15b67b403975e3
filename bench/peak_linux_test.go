package main

import (
	"os"
	"testing"
)

// The peak of a child is its own, however much this process has had.
func TestPeakIsTheChilds(t *testing.T) {
	const ours, small = 64 << 20, 16 << 20
	for i, ballast := 0, make([]byte, ours); i < ours; i += 4096 {
		ballast[i] = 1
	}
	if got := highWater(os.Getpid()); got < ours {
		t.Errorf("our own peak is %d bytes, want %d at least", got, ours)
	}
	b := &bench{ctx: t.Context()}
	p, err := b.start(nil, "sleep", "60")
	if err != nil {
		t.Fatal(err)
	}
	watched := watchPeak(p.cmd.Process.Pid)()
	for what, got := range map[string]int64{"of one that runs": watched, "of one that is stopped": p.stop().rss} {
		if got <= 0 || got > small {
			t.Errorf("the peak %s is %d bytes, want less than %d", what, got, small)
		}
	}
	s, err := b.timed("true")
	if err != nil || s.rss > small {
		t.Errorf("the peak of one that has ended is %d bytes, want less than %d (%v)", s.rss, small, err)
	}
}
