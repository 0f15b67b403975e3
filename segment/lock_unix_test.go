//go:build unix

package segment

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

// One client removes the state file while others open it: never may two of them hold
// the download. (Windows removes after unlocking, so there a removal may fail.)
func TestNeverTwoHolders(t *testing.T) {
	m := manifestOf(t, random(100))
	dir := t.TempDir()
	var holders, turns atomic.Int32
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for range 100 {
				p, err := Create(dir, "film.avi", m)
				if errors.Is(err, ErrLocked) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if n := holders.Add(1); n > 1 {
					t.Errorf("%d holders", n)
				}
				turns.Add(1)
				for range 50 {
					runtime.Gosched()
				}
				holders.Add(-1)
				if err := p.Discard(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	clients.Wait()
	if turns.Load() == 0 {
		t.Error("nobody ever got it")
	}
	holds(t, dir)
}
