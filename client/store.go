package client

import (
	"cmp"
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
	gone    error          // why nothing more is written; nil: it is
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
	st.close(errGivenUp)
	st.stop()
}

// close has all that would still be written fail like this.
func (st *store) close(why error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.gone = why
}

// discard removes the files of a content that was given up, when nothing is being
// written any more.
func (st *store) discard() {
	st.writing.Wait()
	st.part.Discard() // what stays behind is in nobody's way
}

// begin tells why nothing may be written any more. Else the caller says when it has been: st.writing.Done.
func (st *store) begin() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.gone == nil {
		st.writing.Add(1)
	}
	return st.gone
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
	good, bad := verified(st.manifest, run, data)
	kept, err = st.put(good, data)
	return kept, cmp.Or(err, bad)
}

// verified returns what of run, from its start on, verifies. The error tells that this is not all.
func verified(m *segment.Manifest, run segment.Run, data []byte) (good segment.Run, err error) {
	good.First = run.First
	for good.Count < run.Count {
		n := m.Layout().Len(good.End())
		if !m.Verify(good.End(), data[:n]) {
			return good, fmt.Errorf("%w (segment %d)", errCorrupt, good.End())
		}
		data = data[n:]
		good.Count++
	}
	return good, nil
}

// put writes a run that has verified, which may be empty, to its place, from the start of data. It returns what
// of it is there: all or nothing. The first write that fails is the last one.
func (st *store) put(good segment.Run, data []byte) (kept segment.Run, err error) {
	kept.First = good.First
	if good.Count == 0 {
		return kept, nil
	}
	if err := st.begin(); err != nil {
		return kept, err
	}
	defer st.writing.Done()
	if err := st.write(good, data[:st.manifest.Layout().RunBytes(good)]); err != nil {
		st.close(err) // a disk that fails may take its time over each write
		return kept, err
	}
	return good, nil
}
