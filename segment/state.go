package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"lukechampine.com/blake3"
)

// The state file, all integers big-endian:
//
//	 0   8  left alone: Windows locks the first byte against all other handles
//	 8   8  magic, the last byte of it the version
//	16   8  size of the file in bytes
//	24  32  root
//	56  32  BLAKE3 of bytes 8 to 55 and the values
//	88      values, 32 bytes a segment
//	        bitmap, a bit a segment, lowest bit first: the segments had
//	        1 byte, missing or 0: what is had may be trusted to stay, see doubt
//
// The file is empty while it is not decided that the content is wanted, see CreateUndecided.
// Everything up to the bitmap is written once. The bitmap is rewritten in place and has no
// checksum: it is a hint, and every segment is verified on resume.
const (
	stateMagic  = "braidst\x01"
	stateStart  = 8
	stateSum    = 56
	stateValues = 88
)

// bitmap has a bit for every segment.
type bitmap []byte

func newBitmap(l Layout) bitmap { return make(bitmap, (l.Count()+7)/8) }

func (b bitmap) has(i int) bool { return b[i/8]&(1<<(i%8)) != 0 }
func (b bitmap) set(i int)      { b[i/8] |= 1 << (i % 8) }

// encodeState returns a whole state file, with an empty bitmap.
func encodeState(m *Manifest) []byte {
	b := make([]byte, stateValues, stateValues+len(m.values)+len(newBitmap(m.layout)))
	copy(b[stateStart:], stateMagic)
	binary.BigEndian.PutUint64(b[16:], uint64(m.layout.Size))
	copy(b[24:], m.root[:])
	sum := stateChecksum(b[:stateValues], m.values)
	copy(b[stateSum:], sum[:])
	b = append(b, m.values...)
	return append(b, newBitmap(m.layout)...)
}

func stateChecksum(header, values []byte) (sum [32]byte) {
	h := blake3.New(32, nil)
	h.Write(header[stateStart:stateSum])
	h.Write(values)
	h.Sum(sum[:0])
	return sum
}

// readState decodes a state file. What is wrong with it is ErrNoState, what is wrong
// with the disk a *DiskError.
func readState(f file) (*Manifest, bitmap, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, diskError("stat", f.Name(), err)
	}
	m, have, err := decodeState(f, info.Size())
	var fromDisk *fs.PathError
	switch {
	case errors.As(err, &fromDisk):
		return nil, nil, diskError("read", f.Name(), err)
	case err != nil:
		return nil, nil, fmt.Errorf("%w: %s: %w", ErrNoState, f.Name(), err)
	}
	return m, have, nil
}

// decodeState reads a state file of length bytes. It allocates no more than the
// file holds. A bitmap cut short is filled up with zeros, bits beyond the last
// segment mean nothing.
func decodeState(r io.ReaderAt, length int64) (*Manifest, bitmap, error) {
	var header [stateValues]byte
	if err := readFull(r, header[stateStart:], stateStart); err != nil {
		return nil, nil, err
	}
	if string(header[stateStart:16]) != stateMagic {
		return nil, nil, errors.New("it is not a state file of this version")
	}
	size := binary.BigEndian.Uint64(header[16:])
	if size > maxSize {
		return nil, nil, fmt.Errorf("a file of %d bytes is too large", size)
	}
	l := LayoutOf(int64(size))
	if length < stateValues+ManifestSize(l) {
		return nil, nil, io.ErrUnexpectedEOF
	}
	values := make([]byte, ManifestSize(l))
	if err := readFull(r, values, stateValues); err != nil {
		return nil, nil, err
	}
	if stateChecksum(header[:], values) != [32]byte(header[stateSum:]) {
		return nil, nil, errors.New("the checksum is wrong")
	}
	m, err := NewManifest(l, Root(header[24:stateSum]), values)
	if err != nil {
		return nil, nil, err
	}
	have := newBitmap(l)
	if err := readFull(r, have, bitmapOffset(m)); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, nil, err
	}
	return m, have, nil
}

func bitmapOffset(m *Manifest) int64 { return stateValues + int64(len(m.values)) }

func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	}
	return err
}

// writeState writes the state file from nothing.
func writeState(f file, m *Manifest, have bitmap) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	b := encodeState(m)
	copy(b[bitmapOffset(m):], have)
	_, err := f.WriteAt(b[stateStart:], stateStart)
	return err
}
