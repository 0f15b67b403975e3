package transport

import (
	"errors"
	"net"
	"os"
	"sync"
	"testing"
)

// late is a connection whose write deadline has passed.
type late struct{ net.Conn }

func (late) Write([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

// TestCorkTakesSoMuch: a peer that has key updates answered and reads nothing fills no memory.
func TestCorkTakesSoMuch(t *testing.T) {
	k := &cork{out: outbox{w: late{}, spare: new(sync.Pool)}}
	answer := make([]byte, 1<<10)
	var err error
	for i := 0; i < 2*corkFull/len(answer) && err == nil; i++ {
		_, err = k.Write(answer)
		if i < tlsPiece/len(answer) && err != nil {
			t.Fatalf("after %d KiB: %v", i, err)
		}
	}
	for range 100 {
		k.Write(answer) // crypto/tls goes on after an error
	}
	if !errors.Is(err, errCorkFull) || isTimeout(err) || len(k.out.rest) > corkFull+len(answer) {
		t.Errorf("it holds %d bytes, and says %v", len(k.out.rest), err)
	}
}
