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

// Bounds of section 3, in bytes unless they say otherwise.
const (
	HeaderLen      = 4
	MaxData        = 256 << 10 // file bytes in one DATA message
	MaxName        = 4096
	MaxManifest    = 128 << 10 // values in one MANIFEST message
	MaxText        = 512
	InlineManifest = 4096 // a manifest up to this size follows WELCOME unasked
	MaxParts       = 65535
	MaxWaiting     = 1024 // requests waiting on one connection

	maxOffset      = 1 << 44 // bytes: no file is larger (section 1)
	maxSegments    = maxOffset / (4 << 20)
	maxManifestEnd = maxSegments * 32 // bytes: no manifest is longer
	dataHeaderLen  = 12
)

// The flags of WELCOME (3.2).
const (
	flagManifest = 1 << iota
	flagHardy
)

// Message is one of the message types of this package.
type Message interface {
	// Type is the message's type byte.
	Type() Type
	// appendBody appends the body's bytes; for Data without the file bytes.
	appendBody(b []byte) []byte
}

// Hello is the client's first message. Parts 0: no first request.
type Hello struct {
	Part, Parts uint32
	Max         uint32 // bytes
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

// Request asks for a run under a new id.
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

// Data heads Len bytes of the file at Offset; the bytes follow it on the stream.
type Data struct {
	ID     uint32
	Offset int64
	Len    int
}

// Ping is answered by a Pong with the same bytes.
type Ping struct{ Token [8]byte }

// Pong answers a Ping.
type Pong struct{ Token [8]byte }

// Refuse is a server's last message.
type Refuse struct {
	Code Code
	Text string
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
