package server

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"braid/segment"
	"braid/wire"
)

// clientVectors are the streams of docs/protocol.md's vectors that a client
// sends, preface and all.
func clientVectors(f *testing.F) [][]byte {
	f.Helper()
	b, err := os.ReadFile("../wire/testdata/vectors.json")
	if err != nil {
		f.Fatal(err)
	}
	var file struct {
		Vectors []struct{ From, Place, Bytes string }
	}
	if err := json.Unmarshal(b, &file); err != nil {
		f.Fatal(err)
	}
	var all [][]byte
	for _, v := range file.Vectors {
		b, err := hex.DecodeString(strings.ReplaceAll(v.Bytes, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
		switch {
		case v.From != "client":
		case v.Place == "preface":
			all = append(all, b)
		case v.Place == "first":
			all = append(all, append(preface(), b...))
		case v.Place == "later":
			all = append(all, append(wire.Append(preface(), wire.Hello{}), b...))
		}
	}
	if len(all) < 40 {
		f.Fatalf("only %d vectors of a client", len(all))
	}
	return all
}

// fuzzSize is three segments and a bit.
const fuzzSize = 3*(16<<10) + 77

// FuzzClientBytes holds a session against a client that sends any bytes and then
// closes its side: it must end, soon, and say nothing but the protocol: the
// file's own bytes, and only what may have been asked for.
func FuzzClientBytes(f *testing.F) {
	path, data := newFile(f, fuzzSize)
	source, err := segment.OpenSource(f.Context(), path, nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, b := range clientVectors(f) {
		f.Add(b)
	}
	whole := segment.Run{Count: 4}
	for _, more := range [][]wire.Message{
		{wire.Request{ID: 1, Run: whole}, wire.Cancel{ID: 1, Keep: 1}, wire.Request{ID: 2, Run: whole}, wire.Ping{}, wire.Cancel{ID: 2}},
		{wire.Request{ID: 1, Run: whole}, wire.Request{ID: 1, Run: whole}},
		{wire.Request{ID: 1, Run: segment.Run{First: 3, Count: 2}}},
		{wire.GetManifest{}},
	} {
		b := wire.Append(preface(), wire.Hello{Part: 1, Parts: 2, Max: 1 << 20})
		for _, m := range more {
			b = wire.Append(b, m)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, says []byte) {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			s := &session{conn: theirs, source: source, sent: func(int) {}, changed: func(err error) { t.Errorf("changed: %v", err) }}
			done := make(chan error, 1)
			go func() { done <- s.run(t.Context()) }()
			go func() {
				ours.SetWriteDeadline(time.Now().Add(5 * time.Second)) // the session may have ended
				ours.Write(says)
				ours.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			}()
			listenToServer(t, ours, data)
			ours.Close()
			select {
			case <-done:
			case <-time.After(30 * time.Second):
				t.Fatal("the session does not end")
			}
		})
	})
}

// listenToServer reads to the end and checks every message.
func listenToServer(t *testing.T, conn net.Conn, data []byte) {
	heard := &bytes.Buffer{}
	r := wire.NewReader(io.TeeReader(conn, heard), wire.Server)
	switch err := r.Preface(); {
	case err == nil:
	case errors.Is(err, wire.ErrStranger):
		rest, _ := io.ReadAll(conn)
		if got := heard.String() + string(rest); got != wire.StrangerLine {
			t.Errorf("the session says %q", got)
		}
		return
	default:
		return
	}
	for {
		m, err := r.Next()
		var rule *wire.ProtocolError
		if errors.As(err, &rule) {
			t.Errorf("the session breaks the protocol: %v", err)
		}
		if err != nil {
			return
		}
		switch m := m.(type) {
		case wire.Refuse:
			if m, err := r.Next(); err == nil {
				t.Errorf("after the refusal: %#v", m)
			}
			return
		case wire.Data:
			if m.Offset+int64(m.Len) > int64(len(data)) {
				t.Fatalf("DATA of %d bytes at %d", m.Len, m.Offset)
			}
			b, err := io.ReadAll(r)
			if !bytes.Equal(b, data[m.Offset:m.Offset+int64(len(b))]) {
				t.Errorf("wrong bytes at %d", m.Offset)
			}
			if err != nil {
				return
			}
		}
	}
}

// commandForm is what a command is, by another way than the parser's.
var commandForm = regexp.MustCompile(`^(?:([EeSs])[\s\v\x{85}\x{A0}\p{Z}]*0*([0-9]{1,9})|[Qq])$`)

func FuzzCommand(f *testing.F) {
	for _, line := range []string{"", " ", "Q", "q\r", "E1", "e2", "S3", " s 4 ", "E0", "E5", "E99999999999", "E-1", "E+1", "E1x", "QQ", "E", "ſ1", "É1", "\xff", "E１", "e\u00a02", "E000000000000001"} {
		f.Add(line, 4)
	}
	f.Fuzz(func(t *testing.T, line string, servers int) {
		if servers < 1 || servers > 65535 {
			return
		}
		c := parseCommand(line, servers)
		form := commandForm.FindStringSubmatch(strings.TrimSpace(line))
		switch c.verb {
		case verbQuit:
			if form == nil || form[1] != "" {
				t.Fatalf("%q ends the program", line)
			}
		case verbStop, verbStart:
			letter := map[verb]string{verbStop: "E", verbStart: "S"}[c.verb]
			if form == nil || !strings.EqualFold(form[1], letter) || c.server < 1 || c.server > servers {
				t.Fatalf("%q of %d is %+v", line, servers, c)
			}
		default:
			if c != (command{}) {
				t.Fatalf("%q is %+v", line, c)
			}
			if form != nil && (form[1] == "" || inRange(form[2], servers)) {
				t.Fatalf("%q of %d is no command", line, servers)
			}
		}
	})
}

// inRange reads up to nine digits.
func inRange(digits string, servers int) bool {
	n := 0
	for _, d := range digits {
		n = n*10 + int(d-'0')
	}
	return n >= 1 && n <= servers
}
