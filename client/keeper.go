package client

import (
	"runtime"
	"sync"
	"sync/atomic"

	"braid/segment"
)

// keepers verify and write pieces beside the connections that read them. One goroutine writes: systems let one
// writer at a time into a file, and between two it would wait until the next one has woken up. Some verify for
// connections that are no more than the cores; where there are more each verifies what it has read, which
// is still in its core's cache.
type keepers struct {
	cores    int
	readers  atomic.Int32 // connections
	read     chan delivery
	verified chan delivery
	buffers  buffers
}

// What bounds the memory, beside a piece for each connection and the one that is being written: a segment has
// up to 4 MiB.
const (
	mostVerifying = 8
	verifiedAhead = 2 // wait to be written, so that the next one is there when one has been
)

// delivery is a piece for the keepers.
type delivery struct {
	piece
	c    *conn
	st   *store
	good segment.Run // what of it has verified
	err  error       // why that is not all
}

func (d *delivery) verify() { d.good, d.err = verified(d.st.manifest, d.run, d.data) }

func newKeepers() *keepers {
	return &keepers{
		cores:    min(runtime.GOMAXPROCS(0), runtime.NumCPU()),
		read:     make(chan delivery),
		verified: make(chan delivery, verifiedAhead),
	}
}

// start starts the keepers. They end after end, when what they have taken is written.
func (k *keepers) start(tasks *sync.WaitGroup) {
	var verifying sync.WaitGroup
	for range min(k.cores, mostVerifying) {
		verifying.Go(k.verify)
	}
	tasks.Go(func() {
		verifying.Wait()
		close(k.verified)
	})
	tasks.Go(k.write)
}

// end is called when the last connection has ended.
func (k *keepers) end() { close(k.read) }

func (k *keepers) verify() {
	for d := range k.read {
		d.verify()
		k.verified <- d
	}
}

func (k *keepers) write() {
	for d := range k.verified {
		d.c.put(d)
		k.buffers.put(d.data)
	}
}

// take takes a piece with its buffer. It may take as long as the disk takes to write what came before.
func (k *keepers) take(d delivery) {
	if int(k.readers.Load()) <= k.cores {
		k.read <- d
		return
	}
	d.verify()
	k.verified <- d
}
