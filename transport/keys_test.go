package transport

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const patience = 20 * time.Second

// someone is an identity with a key of its own; 0: one without a key.
func someone(t *testing.T, key byte) *identity {
	t.Helper()
	id, err := newIdentity("")
	if key != 0 {
		id, err = sharedIdentity(bytes.Repeat([]byte{key}, ed25519.SeedSize))
	}
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// encrypted makes the transports that can have a key.
var encrypted = map[string]func(*identity) Transport{
	"tls":  func(id *identity) Transport { return &tlsTransport{identity: id} },
	"quic": func(id *identity) Transport { return newQUIC(id, nil) },
	"tls+zstd": func(id *identity) Transport {
		z, _ := newCodec(1)
		return &zstdTransport{"tls+zstd", &tlsTransport{identity: id}, z}
	},
	"quic+zstd": func(id *identity) Transport {
		z, _ := newCodec(1)
		return &zstdTransport{"quic+zstd", newQUIC(id, nil), z}
	},
}

// host answers every connection that says hello with a secret. It keeps what
// it was told, and why connections failed.
type host struct {
	ln   net.Listener
	stop func()

	mu     sync.Mutex
	told   []byte
	failed chan error
}

const (
	hello  = "hello"
	secret = "the file"
)

func newHost(t *testing.T, tr Transport) *host {
	t.Helper()
	ln, err := tr.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &host{ln: ln, failed: make(chan error, 100)}
	var tasks sync.WaitGroup
	tasks.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			tasks.Go(func() { h.serve(c) })
		}
	})
	h.stop = sync.OnceFunc(func() {
		ln.Close()
		tasks.Wait()
		closeTransport(tr)
	})
	t.Cleanup(h.stop)
	return h
}

func closeTransport(tr Transport) {
	if c, ok := tr.(io.Closer); ok {
		c.Close()
	}
}

func (h *host) serve(c net.Conn) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	got := make([]byte, len(hello))
	n, err := io.ReadFull(c, got)
	h.mu.Lock()
	h.told = append(h.told, got[:n]...)
	h.mu.Unlock()
	if err != nil {
		h.failed <- err
	}
	if err == nil {
		io.WriteString(c, secret)
	}
}

// ask says hello at addr and returns the answer.
func ask(tr Transport, addr string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := tr.Dial(ctx, addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, hello) // if this fails, Read tells why
	got, err := io.ReadAll(c)
	return string(got), err
}

// TestKeys: who has not the same key gets nothing, and tells nothing.
func TestKeys(t *testing.T) {
	for name, with := range encrypted {
		for _, test := range []struct {
			name           string
			server, client byte
			welcome        bool
			words          string
		}{
			{"same key", 1, 1, true, ""},
			{"no key", 0, 0, true, ""},
			{"wrong key", 1, 2, false, "another key"},
			{"key on the server only", 1, 0, false, "asks for a key"},
			{"key on the client only", 0, 1, false, "another key, or none"},
		} {
			t.Run(name+"/"+test.name, func(t *testing.T) {
				h := newHost(t, with(someone(t, test.server)))
				client := with(someone(t, test.client))
				defer closeTransport(client)
				got, err := ask(client, h.ln.Addr().String())
				h.stop()
				if test.welcome {
					if got != secret || err != nil {
						t.Errorf("got %q, %v", got, err)
					}
					return
				}
				if got != "" || !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), test.words) {
					t.Errorf("the client got %q, %v, want ErrKey with %q", got, err, test.words)
				}
				if len(h.told) > 0 {
					t.Errorf("the server was told %q", h.told)
				}
			})
		}
	}
}

// TestServerTellsOfWrongKeys: who listens learns why a client was refused.
func TestServerTellsOfWrongKeys(t *testing.T) {
	for name, with := range encrypted {
		for _, test := range []struct {
			name           string
			server, client byte
			words          string
		}{
			{"wrong key", 1, 2, "the other side has another key"},
			{"key on the server only", 1, 0, "the other side has no key"},
			{"key on the client only", 0, 1, "the other side has another key"},
		} {
			t.Run(name+"/"+test.name, func(t *testing.T) {
				h := newHost(t, with(someone(t, test.server)))
				client := with(someone(t, test.client))
				defer closeTransport(client)
				ask(client, h.ln.Addr().String())
				if err := h.failure(t); !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), test.words) {
					t.Errorf("got %v, want ErrKey with %q", err, test.words)
				}
			})
		}
	}
}

// TestFailuresDoNotPileUp: what nobody accepts is dropped, and who fails never waits.
func TestFailuresDoNotPileUp(t *testing.T) {
	a := newAcceptor(&net.UDPAddr{})
	for range 10 * maxFailed {
		a.tell(&net.UDPAddr{}, ErrKey)
	}
	if len(a.failed) != maxFailed {
		t.Errorf("%d failures are held, want %d", len(a.failed), maxFailed)
	}
	c, err := a.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Read(nil); !errors.Is(err, ErrKey) {
		t.Errorf("it fails with %v, want ErrKey", err)
	}
	if _, err := c.Write(nil); !errors.Is(err, ErrKey) {
		t.Errorf("it fails with %v, want ErrKey", err)
	}
	a.close()
}

// failure waits for a connection that has failed.
func (h *host) failure(t *testing.T) error {
	t.Helper()
	select {
	case err := <-h.failed:
		return err
	case <-time.After(patience):
		t.Fatal("no connection has failed")
		return nil
	}
}

// TestManInTheMiddle puts someone between who ends the encryption on both
// sides with a certificate of his own and passes everything on.
func TestManInTheMiddle(t *testing.T) {
	for name, with := range encrypted {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, with(someone(t, 1)))
			toServer := with(someone(t, 0))
			man := newMan(t, with(someone(t, 0)), toServer, h.ln.Addr().String())
			client := with(someone(t, 1))
			defer closeTransport(client)
			if got, err := ask(client, man.ln.Addr().String()); got != "" || !errors.Is(err, ErrKey) {
				t.Errorf("the client got %q, %v, want ErrKey", got, err)
			}
			// One without a key cannot tell him from the server, but the server can.
			careless := with(someone(t, 0))
			defer closeTransport(careless)
			if got, err := ask(careless, man.ln.Addr().String()); strings.Contains(got, secret) {
				t.Errorf("past the server's key: %q, %v", got, err)
			}
			man.stop()
			h.stop()
			if len(h.told) > 0 || bytes.Contains(man.heard, []byte(secret)) {
				t.Errorf("the server was told %q, the man has heard %q", h.told, man.heard)
			}
		})
	}
}

// man passes connections on and listens in.
type man struct {
	ln    net.Listener
	stop  func()
	mu    sync.Mutex
	heard []byte // both ways
	asked []byte // on the way to the server
}

func newMan(t *testing.T, listens, dials Transport, server string) *man {
	t.Helper()
	ln, err := listens.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &man{ln: ln}
	var tasks sync.WaitGroup
	tasks.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			tasks.Go(func() { m.relay(client, dials, server) })
		}
	})
	m.stop = sync.OnceFunc(func() {
		ln.Close()
		tasks.Wait()
		closeTransport(listens)
		closeTransport(dials)
	})
	t.Cleanup(m.stop)
	return m
}

func (m *man) relay(client net.Conn, dials Transport, addr string) {
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	server, err := dials.Dial(ctx, addr)
	if err != nil {
		return
	}
	defer server.Close()
	end := time.Now().Add(patience)
	client.SetDeadline(end)
	server.SetDeadline(end)
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		both.Go(func() {
			buf := make([]byte, 1000)
			for {
				n, err := way[0].Read(buf)
				m.mu.Lock()
				m.heard = append(m.heard, buf[:n]...)
				if way[0] == client {
					m.asked = append(m.asked, buf[:n]...)
				}
				m.mu.Unlock()
				if err == nil {
					_, err = way[1].Write(buf[:n])
				}
				if err != nil {
					client.Close()
					server.Close()
					return
				}
			}
		})
	}
	both.Wait()
}

// TestReplayTLS sends the server what a good client once sent.
func TestReplayTLS(t *testing.T) {
	with := encrypted["tls"]
	h := newHost(t, with(someone(t, 1)))
	plain, err := TCP.New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	tap := newMan(t, plain, plain, h.ln.Addr().String())
	if got, err := ask(with(someone(t, 1)), tap.ln.Addr().String()); got != secret {
		t.Fatalf("got %q, %v", got, err)
	}
	tap.stop()
	if bytes.Contains(tap.heard, []byte(secret)) {
		t.Error("the file went over the wire in the clear")
	}
	h.mu.Lock()
	h.told = nil
	h.mu.Unlock()

	raw, err := net.Dial("tcp", h.ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	raw.SetDeadline(time.Now().Add(patience))
	raw.Write(tap.asked)
	answer, _ := io.ReadAll(raw)
	raw.Close()
	if err := h.failure(t); errors.Is(err, io.EOF) {
		t.Errorf("the server has seen an ordinary end, want a handshake that fails")
	}
	h.stop()
	if len(answer) == 0 || len(h.told) > 0 || bytes.Contains(answer, []byte(secret)) {
		t.Errorf("after a replay the server was told %q, and answered %d bytes", h.told, len(answer))
	}
}

// TestReplayQUIC does the same with datagrams.
func TestReplayQUIC(t *testing.T) {
	h := newHost(t, newQUIC(someone(t, 1), nil))
	server, err := net.ResolveUDPAddr("udp", h.ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	tap := newUDPTap(t, server)
	client := newQUIC(someone(t, 1), nil)
	if got, err := ask(client, tap.front.LocalAddr().String()); got != secret {
		t.Fatalf("got %q, %v", got, err)
	}
	client.Close()
	tap.stop()
	h.stop()

	// The server has been started again: it knows nothing of the connection.
	h = newHost(t, newQUIC(someone(t, 1), nil))
	server, err = net.ResolveUDPAddr("udp", h.ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	again, err := net.DialUDP("udp", nil, server)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	for _, datagram := range tap.sent {
		again.Write(datagram)
	}
	// The server answers a hello, but what follows the first flight is for other keys.
	again.SetReadDeadline(time.Now().Add(patience))
	if _, err := again.Read(make([]byte, 2000)); err != nil {
		t.Errorf("the replay has not even been looked at: %v", err)
	}
	// Whoever is honest comes to the same socket behind the replay: when he is served, it has been looked at.
	honest := newQUIC(someone(t, 1), nil)
	got, err := ask(honest, h.ln.Addr().String())
	honest.Close()
	if got != secret {
		t.Errorf("after a replay: got %q, %v", got, err)
	}
	h.stop()
	if len(tap.sent) < 3 || string(h.told) != hello {
		t.Errorf("of %d datagrams and one who is honest the server was told %q", len(tap.sent), h.told)
	}
}

// udpTap passes datagrams on, and keeps those of the client.
type udpTap struct {
	front, back *net.UDPConn
	stop        func()
	sent        [][]byte
}

func newUDPTap(t *testing.T, server *net.UDPAddr) *udpTap {
	t.Helper()
	front, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	back, err := net.DialUDP("udp", nil, server)
	if err != nil {
		t.Fatal(err)
	}
	tap := &udpTap{front: front, back: back}
	client := make(chan *net.UDPAddr, 1)
	var tasks sync.WaitGroup
	tasks.Go(func() {
		var once sync.Once
		for buf := make([]byte, 2000); ; {
			n, addr, err := front.ReadFromUDP(buf)
			if err != nil {
				return
			}
			once.Do(func() { client <- addr })
			tap.sent = append(tap.sent, slices.Clone(buf[:n]))
			back.Write(buf[:n])
		}
	})
	tasks.Go(func() {
		to := (*net.UDPAddr)(nil)
		for buf := make([]byte, 2000); ; {
			n, err := back.Read(buf)
			if err != nil {
				return
			}
			if to == nil {
				to = <-client
			}
			front.WriteToUDP(buf[:n], to)
		}
	})
	tap.stop = sync.OnceFunc(func() {
		front.Close()
		back.Close()
		tasks.Wait()
	})
	t.Cleanup(tap.stop)
	return tap
}

// TestKeyDerivation holds the published parameters. The seed was computed
// with Python's hashlib.pbkdf2_hmac("sha256", …, b"braid/1 shared key", 600000, 32).
func TestKeyDerivation(t *testing.T) {
	id, err := newIdentity("correct horse battery staple")
	if err != nil {
		t.Fatal(err)
	}
	seed, _ := hex.DecodeString("010840018a29c30ee02262f3db90cc4f093efdc4ba4b7c6a71fb38e44ac73d12")
	if want := ed25519.NewKeyFromSeed(seed).Public(); !id.shared.Equal(want) {
		t.Errorf("the public key is %x, want %x", id.shared, want)
	}
}

// TestUnverifiedIsToldOnce: a client without a key hears once what that means.
func TestUnverifiedIsToldOnce(t *testing.T) {
	for name, driver := range map[string]Driver{"tls": TLS, "quic+zstd": Zstd(QUIC)} {
		var mu sync.Mutex
		var told []string
		server, err := driver.New(Options{})
		if err != nil {
			t.Fatal(err)
		}
		client, err := driver.New(Options{Warn: func(text string) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, text)
		}})
		if err != nil {
			t.Fatal(err)
		}
		h := newHost(t, server)
		for range 3 {
			if got, err := ask(client, h.ln.Addr().String()); got != secret {
				t.Errorf("%s: got %q, %v", name, got, err)
			}
		}
		closeTransport(client)
		told = slices.DeleteFunc(told, func(s string) bool { return strings.Contains(s, "socket buffer") })
		if !slices.Equal(told, []string{unverified}) {
			t.Errorf("%s: told %q", name, told)
		}
	}
}

// TestOldTLSIsAStranger: whatever a server says that knows nothing newer than TLS 1.2.
func TestOldTLSIsAStranger(t *testing.T) {
	says := func(record ...byte) func(net.Conn) {
		return func(c net.Conn) {
			c.Read(make([]byte, 4096))
			c.Write(record)
		}
	}
	hello := append([]byte{22, 3, 3, 0, 42, 2, 0, 0, 38, 3, 3}, make([]byte, 36)...) // ServerHello, version 3.3
	for name, answer := range map[string]func(net.Conn){
		"Go": func(c net.Conn) {
			tls.Server(c, &tls.Config{MaxVersion: tls.VersionTLS12, Certificates: []tls.Certificate{someone(t, 0).certificate}}).Handshake()
		},
		"no cipher in common": says(21, 3, 3, 0, 2, 2, alertHandshakeFailure),
		"goes on with 1.2":    says(hello...),
	} {
		t.Run(name, func(t *testing.T) {
			client, server := net.Pipe()
			defer client.Close()
			go func() {
				answer(server)
				io.Copy(io.Discard, server)
			}()
			c := newTLSConn(client, new(sync.Pool), someone(t, 0).client(), tls.Client)
			if err := explain(c.Conn.HandshakeContext(t.Context())); !errors.Is(err, ErrMismatch) {
				t.Errorf("%v, want ErrMismatch", err)
			}
		})
	}
}
