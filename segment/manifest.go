package segment

import (
	"encoding/hex"
	"fmt"
)

// Root is the BLAKE3 hash of a whole file, as b3sum prints it. It names the content.
type Root [32]byte

// String returns the root as 64 lower-case hex digits.
func (r Root) String() string { return hex.EncodeToString(r[:]) }

// ParseRoot reads 64 hex digits, in either case.
func ParseRoot(s string) (Root, error) {
	var r Root
	if len(s) != hex.EncodedLen(len(r)) {
		return Root{}, fmt.Errorf("%q: a BLAKE3 hash has 64 hex digits, not %d", s, len(s))
	}
	if _, err := hex.Decode(r[:], []byte(s)); err != nil {
		return Root{}, fmt.Errorf("%q: a BLAKE3 hash has 64 hex digits and nothing else", s)
	}
	return r, nil
}

// Manifest is what proves a file segment by segment: layout, root, and the chaining
// value of every segment. It does not change, so any number of goroutines may use it.
type Manifest struct {
	layout Layout
	root   Root
	values []byte
}

// ManifestSize returns how many bytes the values of a manifest take: 32 a segment.
func ManifestSize(l Layout) int64 { return int64(l.Count()) * valueSize }

// NewManifest believes the values, 32 bytes a segment in order, only when they fold
// up to root; the error is ErrManifest otherwise, or says what is wrong with the
// layout. The value of a lone segment is the root itself. The manifest keeps values;
// the caller must not change them any more.
//
// The values do not prove the size: the one claimed may still be wrong within the
// last segment, or name inner nodes of the tree as segments. Then some segment never
// verifies, whoever sends it; the last segment, once verified, proves the size.
func NewManifest(l Layout, root Root, values []byte) (*Manifest, error) {
	if err := l.Check(); err != nil {
		return nil, err
	}
	if want := ManifestSize(l); int64(len(values)) != want {
		return nil, fmt.Errorf("%w: %d bytes of it, must be %d", ErrManifest, len(values), want)
	}
	if foldValues(values) != root {
		return nil, ErrManifest
	}
	return &Manifest{layout: l, root: root, values: values}, nil
}

// Layout returns how the file is cut.
func (m *Manifest) Layout() Layout { return m.layout }

// Root returns the hash of the whole file.
func (m *Manifest) Root() Root { return m.root }

// Values returns the segments' chaining values, 32 bytes each. They are the
// manifest's own: read only.
func (m *Manifest) Values() []byte { return m.values }

// Verify reports whether data is segment i of the file. It allocates nothing for a
// full segment and starts no goroutine.
func (m *Manifest) Verify(i int, data []byte) bool {
	if i < 0 || i >= m.layout.Count() || len(data) != m.layout.Len(i) {
		return false
	}
	var h hasher
	h.reset(m.layout.Offset(i))
	h.write(data)
	return m.proves(i, h.sum(m.layout.Count() == 1))
}

// proves reports whether v is the value of segment i.
func (m *Manifest) proves(i int, v value) bool {
	return v == valueOf(m.values[i*valueSize:])
}
