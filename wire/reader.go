package wire

import (
	"bufio"
	"io"
)

// readBuffer holds a few headers. It is small so that file bytes, read in
// large pieces, go past it straight into the caller's buffer.
const readBuffer = 4 << 10

// Reader reads what one side sends. It is not safe for concurrent use.
type Reader struct {
	br    *bufio.Reader
	from  Side
	left  int // file bytes of the last Data that are still to be read
	body  []byte
	first bool // the next message is the first one
}

// NewReader returns a reader of what side `from` sends on r.
func NewReader(r io.Reader, from Side) *Reader {
	return &Reader{br: bufio.NewReaderSize(r, readBuffer), from: from, first: true}
}

// Preface reads the other side's preface. Its errors are ErrStranger (as soon as a byte is
// wrong), *VersionError, or what reading gives.
func (r *Reader) Preface() error { return readPreface(r.br) }

// Await waits until the next message begins, and skips the unread file bytes
// before it. It takes nothing of the message: after a timeout the reader goes on
// as if nothing had been. The error is io.EOF where Next would give it.
func (r *Reader) Await() error {
	if err := r.skip(); err != nil {
		return err
	}
	_, err := r.br.Peek(1)
	return err
}

// Next reads a message; of Data its header: the file bytes are then read by
// Read, and what of them was not read is skipped by the following Next.
// Errors are *ProtocolError, io.EOF between two messages, or what the stream
// gives. Byte slices in the message are valid until the following Next.
func (r *Reader) Next() (Message, error) {
	if err := r.skip(); err != nil {
		return nil, err
	}
	var h [headerLen]byte
	if _, err := io.ReadFull(r.br, h[:]); err != nil {
		return nil, err
	}
	t, n, err := checkHeader(h, r.from)
	if err != nil {
		return nil, err
	}
	if err := r.order(t); err != nil {
		return nil, err
	}
	have := n
	if t == TypeData {
		have = dataHeaderLen
		r.left = n - have
	}
	if cap(r.body) < have {
		r.body = make([]byte, have)
	}
	b := r.body[:have]
	if _, err := io.ReadFull(r.br, b); err != nil {
		return nil, cut(err)
	}
	return decode(t, b, n)
}

// skip drops what was not read of the last Data.
func (r *Reader) skip() error {
	if r.left == 0 {
		return nil
	}
	n, err := r.br.Discard(r.left)
	r.left -= n
	if err != nil {
		return cut(err)
	}
	return nil
}

// order checks that a conversation begins with its greeting, and has it once.
func (r *Reader) order(t Type) error {
	greeting := t == TypeHello || t == TypeWelcome
	switch {
	case t == TypeRefuse: // belongs anywhere
	case r.first && !greeting:
		return broken("message type %d where the greeting belongs", t)
	case !r.first && greeting:
		return broken("message type %d where no greeting belongs", t)
	}
	r.first = false
	return nil
}

// Read reads file bytes of the last Data, at most as many as are left of it.
// It returns 0, io.EOF when none are left.
func (r *Reader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.br.Read(p[:min(len(p), r.left)])
	r.left -= n
	if err != nil && r.left > 0 {
		return n, cut(err)
	}
	return n, nil
}

// cut turns the end of the stream inside a message into an error.
func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
