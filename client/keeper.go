package client

import (
	"context"
	"runtime"
	"sync"
)

// keepers verify and write segments beside the connections that read them, so that
// one fast connection is not read by turns. A connection hands a segment over when a
// keeper is idle and else keeps it itself: nothing ever waits in a queue, and there are no
// more buffers than connections and keepers.
type keepers struct {
	work chan delivery
	free sync.Pool // of *[]byte, left by segments that were kept
}

// maxKeepers bounds the memory: a segment has up to 4 MiB.
const maxKeepers = 8

// delivery is a segment that has come whole.
type delivery struct {
	piece
	c  *conn
	st *store
	n  int // bytes that were not reported yet
}

func newKeepers() *keepers { return &keepers{work: make(chan delivery)} }

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
			_ = d.c.keep(d)  // the download is told
			buffer := d.data // d must not live on in the pool, nor its connection
			k.free.Put(&buffer)
		case <-ctx.Done():
			return
		}
	}
}

// take hands a segment over if a keeper is idle. The buffer is not the caller's any more then.
func (k *keepers) take(d delivery) bool {
	select {
	case k.work <- d:
		return true
	default:
		return false
	}
}

// buffer returns a buffer of n bytes.
func (k *keepers) buffer(n int) []byte {
	if b, ok := k.free.Get().(*[]byte); ok && cap(*b) >= n {
		return (*b)[:n]
	}
	return make([]byte, n)
}
