package client

import (
	"context"
	"runtime"
	"sync"
)

// keepers verify and write pieces beside the connections that read them, so that
// one fast connection is not read by turns. A connection hands a piece over when a
// keeper is idle and else keeps it itself: nothing ever waits in a queue, and there are no
// more buffers than connections and keepers.
type keepers struct {
	work chan delivery
	free chan []byte // buffers that nobody uses
}

// maxKeepers bounds the memory: a segment has up to 4 MiB.
const maxKeepers = 8

// delivery is a piece for a keeper.
type delivery struct {
	piece
	c  *conn
	st *store
}

func newKeepers() *keepers {
	return &keepers{work: make(chan delivery), free: make(chan []byte, maxKeepers)}
}

// start starts the keepers; they end with ctx.
func (k *keepers) start(ctx context.Context, tasks *sync.WaitGroup) {
	for range min(runtime.GOMAXPROCS(0), maxKeepers) {
		tasks.Go(func() { k.run(ctx) })
	}
}

func (k *keepers) run(ctx context.Context) {
	for {
		select {
		case d := <-k.work:
			_ = d.c.keep(d) // the download is told
			k.recycle(d.data)
		case <-ctx.Done():
			return
		}
	}
}

// take hands a piece over if a keeper is idle. The buffer is not the caller's any more then.
func (k *keepers) take(d delivery) bool {
	select {
	case k.work <- d:
		return true
	default:
		return false
	}
}

// recycle takes a buffer that is not used any more; it may be nil.
func (k *keepers) recycle(b []byte) {
	if b == nil {
		return
	}
	select {
	case k.free <- b:
	default:
	}
}

// buffer returns a buffer of n bytes.
func (k *keepers) buffer(n int) []byte {
	select {
	case b := <-k.free:
		if cap(b) >= n {
			return b[:n]
		}
	default:
	}
	return make([]byte, n)
}
