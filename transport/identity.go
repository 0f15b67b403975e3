package transport

import (
	"crypto/ed25519"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"time"
)

// The key pair comes from the shared secret by PBKDF2-HMAC-SHA-256 (RFC 8018).
// Whoever connects gets to see the server's public key and can try secrets against it at
// home: the iterations make each try cost about 0.3 s of one core. The salt
// has to be the same everywhere, as the two sides have only the secret in common.
const (
	keySalt       = "braid/1 shared key"
	keyIterations = 600_000
)

// alpn names the protocol inside TLS (RFC 7301), so that another server on
// the same port is noticed in the handshake.
const alpn = "braid/1"

// identity is what this side proves about itself, and asks of the other.
type identity struct {
	certificate tls.Certificate
	shared      ed25519.PublicKey // what the other side must prove to have, too; nil: no key
}

// newIdentity derives the identity from the shared secret. Without one it is
// made up, and proves nothing.
func newIdentity(secret string) (*identity, error) {
	if secret == "" {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		certificate, err := selfSigned(private)
		return &identity{certificate: certificate}, err
	}
	seed, err := pbkdf2.Key(sha256.New, secret, []byte(keySalt), keyIterations, ed25519.SeedSize)
	if err != nil {
		return nil, err
	}
	return sharedIdentity(seed)
}

// sharedIdentity is the identity of all who have the seed.
func sharedIdentity(seed []byte) (*identity, error) {
	private := ed25519.NewKeyFromSeed(seed)
	certificate, err := selfSigned(private)
	return &identity{certificate: certificate, shared: private.Public().(ed25519.PublicKey)}, err
}

// selfSigned wraps a public key in a certificate, as TLS wants it. Nothing in
// it but the key is ever looked at.
func selfSigned(private ed25519.PrivateKey) (tls.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "braid"},
		NotBefore:    time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // RFC 5280: never
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, err
}

// client is the TLS configuration of the side that dials. There is no session
// to resume, hence no 0-RTT: every connection proves everything anew.
func (id *identity) client() *tls.Config {
	c := &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{alpn},
		// No authority vouches for these certificates; verify asks for the key.
		InsecureSkipVerify:          true,
		VerifyConnection:            id.verify,
		DynamicRecordSizingDisabled: true,
	}
	if id.shared != nil {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &id.certificate, nil
		}
	}
	return c
}

// server is the TLS configuration of the side that listens.
func (id *identity) server() *tls.Config {
	c := &tls.Config{
		MinVersion:                  tls.VersionTLS13,
		NextProtos:                  []string{alpn},
		Certificates:                []tls.Certificate{id.certificate},
		VerifyConnection:            id.verify,
		SessionTicketsDisabled:      true,
		DynamicRecordSizingDisabled: true,
	}
	if id.shared != nil {
		c.ClientAuth = tls.RequireAnyClientCert
	}
	return c
}

// verify runs at the end of the handshake on either side. That the other side
// has the private key of its certificate TLS has checked already.
func (id *identity) verify(state tls.ConnectionState) error {
	if state.NegotiatedProtocol != alpn {
		return &verdict{ErrMismatch, "the other side speaks TLS, but not braid"}
	}
	if id.shared == nil {
		return nil
	}
	if len(state.PeerCertificates) > 0 {
		theirs, ok := state.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
		if ok && subtle.ConstantTimeCompare(theirs, id.shared) == 1 {
			return nil
		}
	}
	return &verdict{ErrKey, "the other side has another key, or none"}
}

// unverified is what a client is told that has no key.
const unverified = "no key is set: the connections are encrypted, but nothing proves who answers (set BRAID_KEY on both sides)"
