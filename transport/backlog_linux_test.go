package transport

import (
	"io"
	"testing"
	"time"
)

// TestBehindInSocket: the system is asked what waits in the socket. Who sends one large message after the
// other is waited for between them, though the end of each is found at once.
func TestBehindInSocket(t *testing.T) {
	c, accepted := accepted(t, "tcp")
	dialled := c.(*gathering)
	const size = 4 * muchRead
	if _, err := accepted.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	dialled.begin()
	for end := time.Now().Add(patience); !dialled.Behind(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not behind though a message waits")
		}
	}
	dialled.end()
	if _, err := io.ReadFull(dialled, make([]byte, size-1)); err != nil {
		t.Fatal(err)
	}
	dialled.full.Store(size) // as if all had been found at once
	dialled.begin()
	defer dialled.end()
	time.Sleep(waited)
	if dialled.Behind() {
		t.Error("behind with one byte to read")
	}
}
