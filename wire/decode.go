package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"braid/segment"
)

// ProtocolError is a rule of docs/protocol.md that the other side broke.
type ProtocolError struct{ Reason string }

// Error implements error.
func (e *ProtocolError) Error() string { return "protocol error: " + e.Reason }

func broken(format string, args ...any) error {
	return &ProtocolError{Reason: fmt.Sprintf(format, args...)}
}

// Side is one end of a connection.
type Side bool

// The two sides.
const (
	Client Side = false
	Server Side = true
)

// bound is the range of lengths that a message type may have, and who sends it.
type bound struct {
	from     Side
	min, max int
}

func boundOf(t Type) (bound, bool) {
	switch t {
	case TypeHello:
		return bound{Client, 12, 12}, true
	case TypeWelcome:
		return bound{Server, welcomeHeaderLen + 1, welcomeHeaderLen + maxName}, true
	case TypeGetManifest:
		return bound{Client, 0, 0}, true
	case TypeManifest:
		return bound{Server, manifestHeaderLen + valueLen, manifestHeaderLen + MaxManifest}, true
	case TypeRequest:
		return bound{Client, 20, 20}, true
	case TypeCancel:
		return bound{Client, 12, 12}, true
	case TypeData:
		return bound{Server, dataHeaderLen + 1, dataHeaderLen + MaxData}, true
	case TypePing:
		return bound{Client, 8, 8}, true
	case TypePong:
		return bound{Server, 8, 8}, true
	case TypeRefuse:
		return bound{Server, 1, 1 + maxText}, true
	}
	return bound{}, false
}

// checkHeader checks the four bytes that head a message from side `from`.
func checkHeader(h [headerLen]byte, from Side) (Type, int, error) {
	t, n := Type(h[0]), int(h[1])<<16|int(h[2])<<8|int(h[3])
	b, ok := boundOf(t)
	switch {
	case !ok:
		return 0, 0, broken("unknown message type %d", h[0])
	case b.from != from:
		return 0, 0, broken("message type %d from the wrong side", h[0])
	case n < b.min || n > b.max:
		return 0, 0, broken("message type %d of %d bytes, want %d to %d", h[0], n, b.min, b.max)
	}
	return t, n, nil
}

// decode reads a body whose length has been checked; of Data only the first
// dataHeaderLen bytes, n being the length of the whole body. Fields are at the
// offsets that section 3 gives.
func decode(t Type, b []byte, n int) (Message, error) {
	switch t {
	case TypeHello:
		return decodeHello(b)
	case TypeWelcome:
		return decodeWelcome(b)
	case TypeGetManifest:
		return GetManifest{}, nil
	case TypeManifest:
		return decodeManifest(b)
	case TypeRequest:
		return decodeRequest(b)
	case TypeCancel:
		keep := binary.BigEndian.Uint64(b[4:])
		return Cancel{ID: binary.BigEndian.Uint32(b), Keep: int(min(keep, math.MaxInt32))}, nil
	case TypeData:
		off, n := binary.BigEndian.Uint64(b[4:]), n-dataHeaderLen
		if off > maxOffset-uint64(n) {
			return nil, broken("DATA of %d bytes at offset %d", n, off)
		}
		return Data{ID: binary.BigEndian.Uint32(b), Offset: int64(off), Len: n}, nil
	case TypePing:
		return Ping{Token: [8]byte(b)}, nil
	case TypePong:
		return Pong{Token: [8]byte(b)}, nil
	case TypeRefuse:
		if !utf8.Valid(b[1:]) {
			return nil, broken("REFUSE with words that are not UTF-8")
		}
		return Refuse{Code: Code(b[0]), Text: string(b[1:])}, nil
	}
	return nil, errors.New("wire: decode of an unchecked type")
}

func decodeHello(b []byte) (Message, error) {
	m := Hello{Part: binary.BigEndian.Uint32(b), Parts: binary.BigEndian.Uint32(b[4:]), Max: binary.BigEndian.Uint32(b[8:])}
	switch {
	case m.Parts == 0 && (m.Part != 0 || m.Max != 0):
		return nil, broken("HELLO names part %d and %d bytes of nothing", m.Part, m.Max)
	case m.Parts > MaxParts || m.Parts > 0 && m.Part >= m.Parts:
		return nil, broken("HELLO asks for part %d of %d", m.Part, m.Parts)
	}
	return m, nil
}

func decodeWelcome(b []byte) (Message, error) {
	head, name := b[:welcomeHeaderLen], b[welcomeHeaderLen:]
	size := binary.BigEndian.Uint64(head)
	if size > maxOffset {
		return nil, broken("a file of %d bytes", size)
	}
	m := Welcome{
		Layout: segment.Layout{Size: int64(size), SegmentSize: int64(binary.BigEndian.Uint32(head[40:]))},
		Root:   segment.Root(head[8:40]),
	}
	if err := m.Layout.Check(); err != nil {
		return nil, broken("%v", err)
	}
	flags, n := binary.BigEndian.Uint16(head[44:]), int(binary.BigEndian.Uint16(head[46:]))
	if flags&^(flagManifest|flagHardy) != 0 {
		return nil, broken("WELCOME with flags %#x", flags)
	}
	if n != len(name) {
		return nil, broken("WELCOME with a name of %d bytes in place of %d", len(name), n)
	}
	if !utf8.Valid(name) {
		return nil, broken("WELCOME with a name that is not UTF-8")
	}
	if want := segment.ManifestSize(m.Layout); flags&flagManifest != 0 && want > InlineManifest {
		return nil, broken("WELCOME with a manifest of %d bytes behind it that nobody asked for", want)
	}
	m.Manifest, m.Hardy, m.Name = flags&flagManifest != 0, flags&flagHardy != 0, string(name)
	return m, nil
}

func decodeManifest(b []byte) (Message, error) {
	off, values := binary.BigEndian.Uint64(b), b[manifestHeaderLen:]
	if off%valueLen != 0 || len(values)%valueLen != 0 {
		return nil, broken("MANIFEST of %d bytes at %d, want multiples of %d", len(values), off, valueLen)
	}
	if off > maxManifestEnd-uint64(len(values)) {
		return nil, broken("MANIFEST of %d bytes at %d, no manifest is as long", len(values), off)
	}
	return Manifest{Offset: int64(off), Values: values}, nil
}

func decodeRequest(b []byte) (Message, error) {
	id, first, count := binary.BigEndian.Uint32(b), binary.BigEndian.Uint64(b[4:]), binary.BigEndian.Uint64(b[12:])
	if id == 0 || count == 0 || count > maxSegments || first > maxSegments-count {
		return nil, broken("REQUEST %d for %d segments from %d", id, count, first)
	}
	return Request{ID: id, Run: segment.Run{First: int(first), Count: int(count)}}, nil
}
