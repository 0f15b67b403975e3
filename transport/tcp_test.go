package transport

import (
	"errors"
	"math"
	"net"
	"testing"
	"time"
)

// TestGathering has what has come delivered at once; the next read waits for the tick, unless the
// connection is closed.
func TestGathering(t *testing.T) {
	dialled, accepted := accepted(t, "tcp")
	g := dialled.(*gathering)
	g.tick = math.MaxInt64
	if _, err := accepted.Write([]byte("little")); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 100)
	if n, err := g.Read(p); string(p[:n]) != "little" || err != nil {
		t.Fatalf("read %q, %v", p[:n], err)
	}
	if _, err := accepted.Write([]byte("more")); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		n, err := g.Read(p)
		if n > 0 {
			err = errors.New("read before the tick")
		}
		ended <- err
	}()
	select {
	case err := <-ended:
		t.Fatal(err)
	case <-time.After(50 * time.Millisecond):
	}
	g.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
