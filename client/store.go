package client

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"braid/segment"
)

// store is where verified segments of one content go.
type store struct {
	manifest *segment.Manifest
	part     *segment.Part
	write    write

	mu      sync.Mutex
	gone    bool           // the content was given up
	writing sync.WaitGroup // for segments that are being written, and for what start has begun
	stop    func()         // ends that
}

func newStore(part *segment.Part, disk func(*segment.Part) write) *store {
	st := &store{manifest: part.Manifest(), part: part, write: part.WriteSegment}
	if disk != nil {
		st.write = disk(part)
	}
	return st
}

// start has work done on the part beside the download, until ctx ends or the content is given up.
func (st *store) start(ctx context.Context, tasks *sync.WaitGroup, work ...func(context.Context)) {
	ctx, st.stop = context.WithCancel(ctx)
	for _, do := range work {
		st.writing.Add(1)
		tasks.Go(func() {
			defer st.writing.Done()
			do(ctx)
		})
	}
}

// write writes a verified segment to its place.
type write func(i int, data []byte) error

// giveUp has nothing more be written. What is being written may take as long as the
// disk likes: discard waits for that.
func (st *store) giveUp() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.gone = true
	st.stop()
}

// discard removes the files of a content that was given up, when nothing is being
// written any more.
func (st *store) discard() {
	st.writing.Wait()
	st.part.Discard() // what stays behind is in nobody's way
}

// begin reports whether a segment may be written. The caller says when it is: st.writing.Done.
func (st *store) begin() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.gone {
		st.writing.Add(1)
	}
	return !st.gone
}

// errCorrupt is a segment that does not verify, errGivenUp one of a content that
// is not wanted any more.
var (
	errCorrupt = errors.New("sent corrupt data")
	errGivenUp = errors.New("its content is not wanted any more")
)

// keep verifies a segment and writes it to its place.
func keep(st *store, i int, data []byte) error {
	if !st.manifest.Verify(i, data) {
		return fmt.Errorf("%w (segment %d)", errCorrupt, i)
	}
	if !st.begin() {
		return errGivenUp
	}
	defer st.writing.Done()
	return st.write(i, data)
}
