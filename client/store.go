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
	st := &store{manifest: part.Manifest(), part: part, write: part.Write}
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

// write writes a run of verified segments to its place.
type write func(run segment.Run, data []byte) error

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

// begin reports whether something may be written. The caller says when it is: st.writing.Done.
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

// keep verifies the segments of run and writes them to their place. It returns the ones that are kept;
// the error is that of the one behind them.
func keep(st *store, run segment.Run, data []byte) (kept segment.Run, err error) {
	kept.First = run.First
	good := verified(st.manifest, run, data)
	if good.Count < run.Count {
		err = fmt.Errorf("%w (segment %d)", errCorrupt, good.End())
	}
	if good.Count == 0 {
		return kept, err
	}
	if !st.begin() {
		return kept, errGivenUp
	}
	defer st.writing.Done()
	if err := st.write(good, data[:st.manifest.Layout().RunBytes(good)]); err != nil {
		return kept, err
	}
	return good, err
}

// verified returns what of run, from its start on, verifies.
func verified(m *segment.Manifest, run segment.Run, data []byte) segment.Run {
	good := segment.Run{First: run.First}
	for good.Count < run.Count {
		n := m.Layout().Len(good.End())
		if !m.Verify(good.End(), data[:n]) {
			break
		}
		data = data[n:]
		good.Count++
	}
	return good
}
