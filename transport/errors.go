package transport

import (
	"crypto/tls"
	"errors"
	"net"
	"strings"

	"github.com/quic-go/quic-go"
)

// ErrKey means that the two sides do not share a key: one of them has another
// one, or none. It comes from Dial or, because a server checks last, from the
// first Read or Write. A listener's Accept returns the refused connection all the same, and
// its first Read fails with this. The error that wraps it says in words what was wrong.
var ErrKey = errors.New("the keys do not match")

// ErrMismatch means that the other side does not speak this transport. It
// comes from Dial or from the first Read.
var ErrMismatch = errors.New("the other side speaks another transport")

// verdict is ErrKey or ErrMismatch in words.
type verdict struct {
	kind error
	text string
}

func (v *verdict) Error() string { return v.text }

func (v *verdict) Unwrap() error { return v.kind }

// The alerts of RFC 8446 section 6.2 that say more than "something failed".
const (
	alertHandshakeFailure      = 40
	alertBadCertificate        = 42
	alertProtocolVersion       = 70
	alertCertificateRequired   = 116
	alertNoApplicationProtocol = 120
)

// explain turns what crypto/tls and quic-go say of a peer that has other keys
// or is no such peer into an error of this package. Other errors pass.
func explain(err error) error {
	var known *verdict
	var header tls.RecordHeaderError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.As(err, &header):
		return &verdict{ErrMismatch, "the other side does not speak TLS"}
	case err.Error() == noCertificate, localAlert(err) == alertCertificateRequired:
		return &verdict{ErrKey, "the other side has no key"}
	case strings.HasPrefix(err.Error(), oldVersion):
		return &verdict{ErrMismatch, notTLS13}
	case localAlert(err) == alertNoApplicationProtocol:
		return &verdict{ErrMismatch, "the other side speaks something else than braid over QUIC"}
	}
	switch remoteAlert(err) {
	case alertCertificateRequired:
		return &verdict{ErrKey, "the other side asks for a key, and none was given"}
	case alertBadCertificate:
		return &verdict{ErrKey, "the other side has another key"}
	case alertNoApplicationProtocol, alertProtocolVersion, alertHandshakeFailure:
		return &verdict{ErrMismatch, notTLS13}
	}
	return err
}

const notTLS13 = "the other side speaks something else than braid over TLS 1.3"

// oldVersion is how crypto/tls begins what it says of a server that goes on with TLS 1.2, though that was not
// offered. It has no other name for it either. A server of that time may as well find no cipher in common: alert 40.
const oldVersion = "tls: server selected unsupported protocol version"

// noCertificate is what crypto/tls says when it asked for a certificate and got none. It
// has no other name for it.
const noCertificate = "tls: client didn't provide a certificate"

// localAlert is the number of the TLS alert with which this side has refused the other one's
// handshake over QUIC; 0: none.
func localAlert(err error) int {
	var own *quic.TransportError
	if errors.As(err, &own) && !own.Remote && own.ErrorCode.IsCryptoError() {
		return int(own.ErrorCode - 0x100) // RFC 9001 section 4.8
	}
	return 0
}

// remoteAlert is the number of the TLS alert that the other side has sent; 0: none.
func remoteAlert(err error) int {
	var overTCP *net.OpError
	if errors.As(err, &overTCP) && overTCP.Op == "remote error" {
		// The type of the alert is crypto/tls's own; its text is public.
		for _, n := range []int{alertHandshakeFailure, alertBadCertificate, alertProtocolVersion, alertCertificateRequired, alertNoApplicationProtocol} {
			if overTCP.Err.Error() == tls.AlertError(n).Error() {
				return n
			}
		}
	}
	var overQUIC *quic.TransportError
	if errors.As(err, &overQUIC) && overQUIC.Remote && overQUIC.ErrorCode.IsCryptoError() {
		return int(overQUIC.ErrorCode - 0x100) // RFC 9001 section 4.8
	}
	return 0
}
