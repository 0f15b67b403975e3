package wire

import (
	"fmt"

	"braid/segment"
)

// Type is the first byte of a message.
type Type byte

// The types of section 3.
const (
	TypeHello       Type = 1
	TypeWelcome     Type = 2
	TypeGetManifest Type = 3
	TypeManifest    Type = 4
	TypeRequest     Type = 5
	TypeCancel      Type = 6
	TypeData        Type = 7
	TypePing        Type = 8
	TypePong        Type = 9
	TypeRefuse      Type = 10
)

// Bounds of section 3.
const (
	MaxData        = 256 << 10 // file bytes in one DATA message
	MaxManifest    = 128 << 10 // bytes of values in one MANIFEST message
	InlineManifest = 4096      // bytes: a manifest up to this size follows WELCOME unasked
	MaxWaiting     = 1024      // requests waiting on one connection
	MaxParts       = 65535     // that HELLO can take a file for

	maxName        = 4096    // bytes
	maxText        = 512     // bytes
	maxOffset      = 1 << 44 // bytes: no file is larger (section 1)
	maxSegments    = maxOffset / (4 << 20)
	maxManifestEnd = maxSegments * valueLen // bytes: no manifest is longer

	headerLen         = 4  // bytes, of any message
	welcomeHeaderLen  = 48 // bytes of a WELCOME message's body before the name
	manifestHeaderLen = 8  // bytes of a MANIFEST message's body before the values
	dataHeaderLen     = 12 // bytes of a DATA message's body before the file bytes

	valueLen = 32 // bytes of a chaining value, one a segment
)

// The flags of WELCOME (3.2).
const (
	flagManifest = 1 << iota // the manifest follows at once
	flagHardy                // the sender does not take every lost packet for a full link
)

// Message is one of the message types of this package.
type Message interface {
	// Type is the message's type byte.
	Type() Type
	// appendBody appends the body's bytes; for Data without the file bytes.
	appendBody(b []byte) []byte
}

// Hello is the client's first message. It has the first request in it: Part, counted from 0, of
// Parts, and of that no more than Max bytes. Parts 0: none.
type Hello struct {
	Part, Parts uint32
	Max         uint32
}

// Welcome is the server's first message.
type Welcome struct {
	Layout   segment.Layout
	Root     segment.Root
	Manifest bool   // the manifest follows unasked
	Hardy    bool   // the sender does not take every lost packet for a full link
	Name     string // as the server tells it: make it safe before use
}

// GetManifest asks for the manifest.
type GetManifest struct{}

// Manifest is a piece of the manifest. Values belong to the reader that
// returned them until its next call.
type Manifest struct {
	Offset int64 // bytes into the manifest
	Values []byte
}

// Request asks for a run under a new id, greater than those before it.
type Request struct {
	ID  uint32
	Run segment.Run
}

// Cancel shortens request ID to its first Keep segments. A larger Keep than
// math.MaxInt32, which no file has segments for, is read as that.
type Cancel struct {
	ID   uint32
	Keep int
}

// Data heads Len bytes of the file at Offset, for request ID; the bytes follow it on the stream.
type Data struct {
	ID     uint32
	Offset int64 // bytes into the file
	Len    int   // 1 to MaxData
}

// Ping is answered by a Pong with the same bytes.
type Ping struct{ Token [8]byte }

// Pong answers a Ping.
type Pong struct{ Token [8]byte }

// Refuse is a server's last message.
type Refuse struct {
	Code Code
	Text string // for a person; clean it before it is shown
}

// Code says why a server refuses.
type Code byte

// The codes of section 3.8.
const (
	Busy       Code = 1
	Changed    Code = 2
	BadRequest Code = 3
	BadVersion Code = 4
	Shutdown   Code = 5
)

// String is the code in words.
func (c Code) String() string {
	switch c {
	case Busy:
		return "busy"
	case Changed:
		return "its file has changed"
	case BadRequest:
		return "bad request"
	case BadVersion:
		return "another protocol version"
	case Shutdown:
		return "shutting down"
	}
	return fmt.Sprintf("refusal code %d", byte(c))
}

// Type implements Message.
func (Hello) Type() Type { return TypeHello }

// Type implements Message.
func (Welcome) Type() Type { return TypeWelcome }

// Type implements Message.
func (GetManifest) Type() Type { return TypeGetManifest }

// Type implements Message.
func (Manifest) Type() Type { return TypeManifest }

// Type implements Message.
func (Request) Type() Type { return TypeRequest }

// Type implements Message.
func (Cancel) Type() Type { return TypeCancel }

// Type implements Message.
func (Data) Type() Type { return TypeData }

// Type implements Message.
func (Ping) Type() Type { return TypePing }

// Type implements Message.
func (Pong) Type() Type { return TypePong }

// Type implements Message.
func (Refuse) Type() Type { return TypeRefuse }
