package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"time"

	"golang.org/x/time/rate"

	"braid/segment"
	"braid/transport"
	"braid/wire"
)

// Time limits of docs/protocol.md section 2, and of a write: so that a peer
// that sends or takes a byte a minute holds nothing for long.
const (
	handshakeLimit = 10 * time.Second
	idleLimit      = 2 * time.Minute
	writeLimit     = time.Minute
	farewellLimit  = time.Second
)

// session is one client's connection to a virtual server. The goroutine that
// calls run reads; a second one, the sender, writes and owns the requests.
type session struct {
	conn    net.Conn
	source  *segment.Source
	limiter *rate.Limiter   // nil: no limit
	ending  <-chan struct{} // closed when the server ends
	sent    func(n int)     // file bytes sent
	changed func(error)     // the file is not what was hashed
}

// changedText is what clients are told; the reason holds paths of this machine.
const changedText = "the file is not what it was when it was hashed"

// errLeft means that the client is gone, and that nothing is wrong with that.
var errLeft = errors.New("the client left")

// errRefused means that the client has been told why this is the end.
var errRefused = errors.New("refused")

// Refusals that have been told of, or need not be.
var (
	errEnding  = fmt.Errorf("%w: the server ends", errRefused)
	errChanged = fmt.Errorf("%w: %s", errRefused, changedText)
)

// run serves until the client leaves, breaks a rule, or ctx ends. It closes
// the connection. The error says what was wrong; nil: the client left.
func (s *session) run(ctx context.Context) error {
	defer func(whole context.Context) {
		if whole.Err() != nil {
			abort(s.conn) // not an orderly end, whoever of the goroutines is here first
		}
		s.conn.Close()
	}(ctx)
	stop := context.AfterFunc(ctx, func() { abort(s.conn) })
	defer stop()

	r := wire.NewReader(s.conn, wire.Client)
	hello, err := s.greet(r)
	if err == errLeft {
		return nil
	}
	if err != nil {
		return err
	}
	file, err := s.open()
	if err != nil {
		return err
	}
	defer file.Close()
	return s.converse(ctx, r, hello, file)
}

// open opens the file for a client; one that cannot be served is told why.
func (s *session) open() (*os.File, error) {
	file, err := s.source.Open()
	if errors.Is(err, segment.ErrChanged) {
		return nil, s.refuseChanged(err)
	}
	if err != nil {
		// The file is there; it is we who have no descriptor left, or no right.
		_ = s.refuse(wire.Busy, "it cannot open its file now")
		return nil, err
	}
	if err := s.source.Unchanged(file); err != nil {
		defer file.Close()
		return nil, s.refuseChanged(err)
	}
	return file, nil
}

// converse runs the sender beside the reader until either of them ends. The error is that of run.
func (s *session) converse(ctx context.Context, r *wire.Reader, hello wire.Hello, file *os.File) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tx := newSender(s, file)
	sending := make(chan error, 1)
	go func() {
		err := tx.run(ctx, hello)
		if err != nil {
			// The reader has nothing left to do: wake it.
			s.conn.SetReadDeadline(time.Unix(1, 0))
		}
		sending <- err
	}()
	err := s.listen(ctx, r, tx)
	if !errors.Is(err, errRefused) {
		// The client is gone: nothing that is still to be sent has a reader.
		cancel()
		s.conn.SetWriteDeadline(time.Unix(1, 0))
	}
	sendErr := <-sending
	var disk *fs.PathError
	if errors.As(sendErr, &disk) {
		return sendErr // the client finds out what can be read all the same
	}
	if errors.Is(sendErr, errRefused) {
		err = sendErr
	}
	if errors.Is(err, errRefused) {
		farewell(s.conn)
		return err
	}
	return nil
}

// greet reads the preface and HELLO.
func (s *session) greet(r *wire.Reader) (wire.Hello, error) {
	s.conn.SetDeadline(time.Now().Add(handshakeLimit))
	var version *wire.VersionError
	switch err := r.Preface(); {
	case errors.Is(err, wire.ErrStranger), err == io.EOF:
		io.WriteString(s.conn, wire.StrangerLine)
		farewell(s.conn)
		return wire.Hello{}, departed(err)
	case errors.As(err, &version):
		return wire.Hello{}, s.refuse(wire.BadVersion, fmt.Sprintf("this server speaks version %d", wire.Version))
	case err != nil:
		return wire.Hello{}, departed(err)
	}
	m, err := r.Next()
	if err != nil {
		return wire.Hello{}, s.refuseBroken(err)
	}
	s.conn.SetDeadline(time.Time{})
	return m.(wire.Hello), nil
}

// departed is what a failed reading of a client's greeting means.
func departed(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("no greeting within %v", handshakeLimit)
	case stranger(err):
		return err
	}
	return errLeft
}

// stranger reports whether an error tells of a peer that speaks something else, or that has not
// the key.
func stranger(err error) bool {
	return errors.Is(err, wire.ErrStranger) || errors.Is(err, transport.ErrMismatch) || errors.Is(err, transport.ErrKey)
}

// await waits for the client's next message. The time limit counts from when
// there was last something to send.
func (s *session) await(r *wire.Reader, tx *sender) error {
	for limit := time.Now().Add(idleLimit); ; limit = tx.idleSince().Add(idleLimit) {
		if !s.readUntil(limit, tx) {
			return errLeft
		}
		err := r.Await()
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(tx.idleSince()) >= idleLimit {
			return err
		}
	}
}

// readUntil sets the time limit of reading, and reports false when the sender
// has ended: its wish to wake the reader must not be overwritten.
func (s *session) readUntil(limit time.Time, tx *sender) bool {
	s.conn.SetReadDeadline(limit)
	select {
	case <-tx.done:
		return false
	default:
		return true
	}
}

// listen passes the client's messages to the sender until the stream ends.
func (s *session) listen(ctx context.Context, r *wire.Reader, tx *sender) error {
	for {
		if err := s.await(r, tx); err != nil {
			return err
		}
		if !s.readUntil(time.Now().Add(idleLimit), tx) {
			return errLeft
		}
		m, err := r.Next()
		var broken *wire.ProtocolError
		if errors.As(err, &broken) {
			m, err = wire.Refuse{Code: wire.BadRequest, Text: broken.Reason}, nil
		}
		if err != nil {
			return err
		}
		select {
		case tx.in <- m:
		case <-tx.done:
			return errLeft
		case <-ctx.Done():
			return ctx.Err()
		}
		if refusal, ok := m.(wire.Refuse); ok {
			return fmt.Errorf("%w: %s", errRefused, refusal.Text)
		}
	}
}

// refuse tells a client that has not been welcomed why not.
func (s *session) refuse(code wire.Code, text string) error {
	refuse(s.conn, code, text)
	return fmt.Errorf("%w: %v: %s", errRefused, code, text)
}

// refuseChanged refuses a client because of what err tells of the file.
func (s *session) refuseChanged(err error) error {
	s.changed(err)
	refuse(s.conn, wire.Changed, changedText)
	return errChanged
}

// refuseBroken refuses a client whose greeting breaks a rule.
func (s *session) refuseBroken(err error) error {
	var broken *wire.ProtocolError
	if errors.As(err, &broken) {
		return s.refuse(wire.BadRequest, broken.Reason)
	}
	return departed(err)
}

// refuse tells a client, as the first words on a connection, why there will be no others.
func refuse(conn net.Conn, code wire.Code, text string) {
	conn.SetWriteDeadline(time.Now().Add(farewellLimit))
	preface := wire.Preface()
	conn.Write(wire.Append(preface[:], wire.Refuse{Code: code, Text: text}))
	farewell(conn)
}

// farewell ends the sending side and reads on for a moment: a socket closed
// over unread data would reset the connection and lose the last words.
func farewell(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
		conn.SetReadDeadline(time.Now().Add(farewellLimit))
		io.CopyN(io.Discard, conn, 1<<20)
	}
}

// abort cuts a connection as a crash would: what it holds unsent is dropped.
func abort(c net.Conn) {
	if l, ok := c.(interface{ SetLinger(sec int) error }); ok {
		l.SetLinger(0)
	}
	c.Close()
}
