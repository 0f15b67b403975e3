package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"braid/transport"
	"braid/wire"
)

func TestPlain(t *testing.T) {
	op := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	for _, test := range []struct {
		err  error
		want string
	}{
		{io.EOF, "it closed the connection"},
		{fmt.Errorf("read: %w", io.ErrUnexpectedEOF), "it closed the connection"},
		{op(&os.SyscallError{Syscall: "read", Err: syscall.ECONNRESET}), "it cut the connection"},
		{op(syscall.EPIPE), "it cut the connection"},
		{op(&os.SyscallError{Syscall: "connect", Err: syscall.ECONNREFUSED}), "nothing listens there"},
		{op(os.ErrDeadlineExceeded), "no answer"},
		{op(context.DeadlineExceeded), "no answer"},
		{op(&net.DNSError{Err: "no such host", Name: "x"}), "dial tcp: lookup x: no such host"},
		{wire.ErrStranger, "speaks something else than the braid protocol (--transport must be the same on both sides)"},
		{fmt.Errorf("no tls: %w", transport.ErrMismatch), "no tls: the other side speaks another transport (--transport must be the same on both sides)"},
		{fmt.Errorf("quic: %w", transport.ErrKey), "quic: the keys do not match (BRAID_KEY must be the same on both sides)"},
		{&refusal{code: wire.Busy}, "busy"},
		{&refusal{code: wire.Changed, text: "since noon"}, "its file has changed: since noon"},
		{errors.New("another"), "another"},
	} {
		if got := plain(test.err); got.Error() != test.want {
			t.Errorf("%v: %q, want %q", test.err, got, test.want)
		}
	}
	if plain(nil) != nil {
		t.Error("an error of nothing")
	}
}

func TestWhatIsFatal(t *testing.T) {
	for _, test := range []struct {
		err            error
		fatal, refusal bool
	}{
		{wire.ErrStranger, true, true},
		{transport.ErrKey, true, true},
		{transport.ErrMismatch, true, true},
		{&wire.VersionError{Version: 9}, true, true},
		{&wire.ProtocolError{Reason: "x"}, true, true},
		{&refusal{code: wire.BadVersion}, true, true},
		{&refusal{code: wire.Busy}, false, true},
		{&refusal{code: wire.Shutdown}, false, true},
		{io.EOF, false, false},
		{syscall.ECONNREFUSED, false, false},
	} {
		err := fmt.Errorf("server: %w", test.err)
		if isFatal(err) != test.fatal || isRefusal(err) != test.refusal {
			t.Errorf("%v: fatal %v, refusal %v", err, isFatal(err), isRefusal(err))
		}
	}
}
