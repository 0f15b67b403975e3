package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/sync/errgroup"
)

// What carries the bytes of a transport, with nothing around it: one process
// of this program sends, another one receives and throws away. There is no file, no hash
// and no request. A transport of braid's is held against it.
//
//	bench send KIND ADDR BYTES CONNECTIONS      serves for ever
//	bench receive KIND ADDR BYTES CONNECTIONS   receives that many bytes in all

// plainALPN is what the two sides say they speak.
const plainALPN = "bench"

// plainWrite is how much the sender writes at once, in bytes.
const plainWrite = 1 << 20

// plainRow is the row of a plain pipe of so many connections. The caller stops the process.
func (b *bench) plainRow(kind string, connections int) (*row, *process, error) {
	self, addrs, err := ownPair()
	if err != nil {
		return nil, nil, err
	}
	args := []string{kind, addrs[0], strconv.FormatInt(b.size, 10), strconv.Itoa(connections)}
	await := addrs
	if kind == "quic" {
		await = nil // the receiver's handshake is repeated until somebody answers
	}
	p, err := b.start(await, self, append([]string{"send"}, args...)...)
	if err != nil {
		return nil, nil, err
	}
	name := fmt.Sprintf("plain %s pipe, connections: %d", map[string]string{"tls": "Go TLS", "quic": "quic-go"}[kind], connections)
	return &row{name: name, run: func() (sample, error) { return b.timed(self, append([]string{"receive"}, args...)...) }}, p, nil
}

// ownPair is what two processes of this program need to speak with each other: its path
// and an address.
func ownPair() (self string, addrs []string, err error) {
	if self, err = os.Executable(); err != nil {
		return "", nil, err
	}
	_, addrs, err = freePorts(1)
	return self, addrs, err
}

// plainEnd is one of the two processes: args are those of "send" or "receive".
func plainEnd(ctx context.Context, what string, args []string) error {
	if len(args) != 4 {
		return fmt.Errorf("bench %s: want KIND ADDR BYTES CONNECTIONS", what)
	}
	size, err := strconv.ParseInt(args[2], 10, 64)
	connections, err2 := strconv.Atoi(args[3])
	if err = errors.Join(err, err2); err != nil {
		return err
	}
	share := size / int64(connections)
	if what == "send" {
		return plainSend(ctx, args[0], args[1], share)
	}
	var all errgroup.Group
	for range connections {
		all.Go(func() error { return plainReceive(ctx, args[0], args[1], share) })
	}
	return all.Wait()
}

// plainSend sends share bytes on every connection that comes.
func plainSend(ctx context.Context, kind, addr string, share int64) error {
	config, err := plainConfig()
	if err != nil {
		return err
	}
	if kind == "tls" {
		return plainSendTLS(ctx, addr, config, share)
	}
	return plainSendQUIC(ctx, addr, config, share)
}

func plainSendTLS(ctx context.Context, addr string, config *tls.Config, share int64) error {
	l, err := tls.Listen("tcp", addr, config)
	if err != nil {
		return err
	}
	return acceptAll(ctx, l, func(c net.Conn) { fill(c, share) })
}

// acceptAll has every connection that comes served and closed, until ctx ends. It closes l.
func acceptAll(ctx context.Context, l net.Listener, serve func(c net.Conn)) error {
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			serve(c)
		}()
	}
}

func plainSendQUIC(ctx context.Context, addr string, config *tls.Config, share int64) error {
	l, err := quic.ListenAddr(addr, config, plainQUIC)
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept(ctx)
		if err != nil {
			return err
		}
		go func() {
			s, err := c.OpenUniStream()
			if err == nil {
				fill(s, share)
				s.Close()
			}
		}()
	}
}

// fill writes n bytes that do not matter.
func fill(w io.Writer, n int64) error {
	p := make([]byte, plainWrite)
	for ; n > 0; n -= int64(len(p)) {
		if _, err := w.Write(p[:min(n, int64(len(p)))]); err != nil {
			return err
		}
	}
	return nil
}

// plainReceive reads share bytes of one connection.
func plainReceive(ctx context.Context, kind, addr string, share int64) error {
	config := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, NextProtos: []string{plainALPN}}
	if kind == "tls" {
		c, err := tls.Dial("tcp", addr, config)
		if err != nil {
			return err
		}
		defer c.Close()
		return discard(c, share)
	}
	c, err := quic.DialAddr(ctx, addr, config, plainQUIC)
	if err != nil {
		return err
	}
	defer c.CloseWithError(0, "")
	s, err := c.AcceptUniStream(ctx)
	if err != nil {
		return err
	}
	return discard(s, share)
}

// discard reads n bytes.
func discard(r io.Reader, n int64) error {
	p := make([]byte, 256<<10)
	for n > 0 {
		m, err := r.Read(p)
		if n -= int64(m); n > 0 && err != nil {
			return fmt.Errorf("%d bytes are missing: %w", n, err)
		}
	}
	return nil
}

// plainQUIC has windows that do not hold up a stream on loopback.
var plainQUIC = &quic.Config{MaxStreamReceiveWindow: 16 << 20, MaxConnectionReceiveWindow: 24 << 20}

func plainConfig() (*tls.Config, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{plainALPN},
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}},
	}, err
}
