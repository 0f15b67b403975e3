package client

import (
	"sync"

	"braid/segment"
)

// buffers are what pieces are read into, a few of them in turn: no more than were ever in use at once. The one
// that was used last is the next one, as it may still be in the cache.
type buffers struct {
	mu   sync.Mutex
	free [][]byte
}

// get returns a buffer of n bytes.
func (f *buffers) get(n int) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.free) > 0 {
		last := len(f.free) - 1
		b := f.free[last]
		f.free = f.free[:last]
		if cap(b) >= n { // else it is of another content
			return b[:n]
		}
	}
	return segment.Buffer(n)
}

// put takes a buffer that is not used any more; it may be nil.
func (f *buffers) put(b []byte) {
	if b == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.free = append(f.free, b)
}
