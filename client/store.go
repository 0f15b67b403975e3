package client

import (
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

	mu   sync.RWMutex // held for reading while a segment is written
	gone bool         // the content was given up
}

func newStore(part *segment.Part, disk func(*segment.Part) write) *store {
	st := &store{manifest: part.Manifest(), part: part, write: part.WriteSegment}
	if disk != nil {
		st.write = disk(part)
	}
	return st
}

// write writes a verified segment to its place.
type write func(i int, data []byte) error

// discard gives up the content. Nothing is being written when the files go.
func (st *store) discard() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.gone = true
	st.part.Discard() // what stays behind is in nobody's way
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
	st.mu.RLock()
	defer st.mu.RUnlock()
	if st.gone {
		return errGivenUp
	}
	return st.write(i, data)
}
