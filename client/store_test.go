package client

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"braid/segment"
)

// TestDiscardWhileWriting gives a content up under the hands of its readers;
// the race detector looks on.
func TestDiscardWhileWriting(t *testing.T) {
	dir, data := t.TempDir(), make([]byte, 1<<20)
	m, err := segment.Hash(context.Background(), bytes.NewReader(data), int64(len(data)), nil)
	if err != nil {
		t.Fatal(err)
	}
	part, err := segment.Create(dir, "f.bin", m)
	if err != nil {
		t.Fatal(err)
	}
	st := newStore(part, nil)
	var readers sync.WaitGroup
	written := make(chan struct{}, 1)
	for range 4 {
		readers.Go(func() {
			for i := 0; ; i = (i + 1) % m.Layout().Count() {
				err := keep(st, i, data[:m.Layout().Len(i)])
				if errors.Is(err, errGivenUp) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				select {
				case written <- struct{}{}:
				default:
				}
			}
		})
	}
	<-written
	st.discard()
	readers.Wait()
	if segment.Leftover(dir, "f.bin") {
		t.Error("the files are still there")
	}
}
