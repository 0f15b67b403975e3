package server

import (
	"context"
	"net"
	"runtime"
	"testing"
	"time"

	"braid/segment"
	"braid/wire"
)

// bottomless is a connection to a peer on this machine that takes whatever it is sent.
type bottomless struct{ net.Conn }

func (bottomless) Write(p []byte) (int, error)      { return len(p), nil }
func (bottomless) SetReadDeadline(time.Time) error  { return nil }
func (bottomless) SetWriteDeadline(time.Time) error { return nil }
func (bottomless) Here() bool                       { return true }

// TestTurns: on a single core, who sends to a peer that always has room lets others run between two
// messages. Here that is a reader with a cancel, which must not wait until everything is sent.
func TestTurns(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const size = 16 * wire.MaxData
	path, _ := newFile(t, size)
	source, err := segment.OpenSource(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	file, err := source.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	sent, begun, cancelled := 0, make(chan struct{}, 1), make(chan struct{})
	tx := newSender(&session{conn: bottomless{}, source: source, sent: func(n int) {
		if sent += n; sent == n {
			begun <- struct{}{}
		}
	}}, file)
	tx.in <- wire.Request{ID: 1, Run: segment.Run{Count: source.Manifest().Layout().Count()}}
	go func() {
		<-begun
		tx.in <- wire.Cancel{ID: 1}
		close(cancelled)
	}()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go tx.run(ctx, wire.Hello{})
	for <-cancelled; tx.rested.Load() == 0; {
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-tx.done
	if sent > 3*wire.MaxData {
		t.Errorf("%d of %d bytes were sent before the cancel was heeded", sent, size)
	}
}
