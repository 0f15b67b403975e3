package wire

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// Append appends the encoding of m to b. Of Data it appends all but the file
// bytes, which the caller sends next. The caller keeps m within the bounds of
// section 3; text that is too long is cut, and what is not UTF-8 in it replaced.
func Append(b []byte, m Message) []byte {
	start := len(b)
	b = append(b, byte(m.Type()), 0, 0, 0)
	b = m.appendBody(b)
	n := len(b) - start - headerLen
	if d, ok := m.(Data); ok {
		n += d.Len
	}
	b[start+1], b[start+2], b[start+3] = byte(n>>16), byte(n>>8), byte(n)
	return b
}

func (m Hello) appendBody(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, m.Part)
	b = binary.BigEndian.AppendUint32(b, m.Parts)
	return binary.BigEndian.AppendUint32(b, m.Max)
}

func (m Welcome) appendBody(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(m.Layout.Size))
	b = append(b, m.Root[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(m.Layout.SegmentSize))
	var flags uint16
	if m.Manifest {
		flags |= flagManifest
	}
	if m.Hardy {
		flags |= flagHardy
	}
	b = binary.BigEndian.AppendUint16(b, flags)
	name := text(m.Name, maxName)
	b = binary.BigEndian.AppendUint16(b, uint16(len(name)))
	return append(b, name...)
}

func (GetManifest) appendBody(b []byte) []byte { return b }

func (m Manifest) appendBody(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(m.Offset))
	return append(b, m.Values...)
}

func (m Request) appendBody(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, m.ID)
	b = binary.BigEndian.AppendUint64(b, uint64(m.Run.First))
	return binary.BigEndian.AppendUint64(b, uint64(m.Run.Count))
}

func (m Cancel) appendBody(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, m.ID)
	return binary.BigEndian.AppendUint64(b, uint64(m.Keep))
}

func (m Data) appendBody(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, m.ID)
	return binary.BigEndian.AppendUint64(b, uint64(m.Offset))
}

func (m Ping) appendBody(b []byte) []byte { return append(b, m.Token[:]...) }
func (m Pong) appendBody(b []byte) []byte { return append(b, m.Token[:]...) }

func (m Refuse) appendBody(b []byte) []byte {
	b = append(b, byte(m.Code))
	return append(b, text(m.Text, maxText)...)
}

// text makes s valid UTF-8 of at most limit bytes.
func text(s string, limit int) string {
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	if len(s) <= limit {
		return s
	}
	for !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
