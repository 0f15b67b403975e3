package wire

import (
	"bytes"
	"errors"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// stream is a WELCOME and then what follows, as a server sends them.
func stream(t testing.TB, follows ...any) []byte {
	t.Helper()
	b := unhex(t, greetings[Server])
	for _, f := range follows {
		switch f := f.(type) {
		case Message:
			b = Append(b, f)
		case string:
			b = append(b, f...)
		}
	}
	return b
}

// afterGreeting is a reader of r whose first message has been read.
func afterGreeting(t testing.TB, r io.Reader) *Reader {
	t.Helper()
	rd := NewReader(r, Server)
	if _, err := rd.Next(); err != nil {
		t.Fatal(err)
	}
	return rd
}

func TestReadPayload(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", MaxData/16)
	s := stream(t, Data{ID: 1, Len: 5}, "hello", Data{ID: 1, Offset: 5, Len: MaxData}, large, Pong{})
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"whole":        func(r io.Reader) io.Reader { return r },
		"byte by byte": iotest.OneByteReader,
		"data and EOF": iotest.DataErrReader,
	} {
		t.Run(name, func(t *testing.T) {
			r := afterGreeting(t, wrap(bytes.NewReader(s)))
			for _, want := range []string{"hello", large} {
				m, err := r.Next()
				if d, ok := m.(Data); err != nil || !ok || d.Len != len(want) {
					t.Fatalf("got %v, %v, want %d bytes of data", m, err, len(want))
				}
				got, err := io.ReadAll(r)
				if err != nil || string(got) != want {
					t.Fatalf("got %d bytes, %v, want %d", len(got), err, len(want))
				}
				if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
					t.Fatalf("behind the payload: %d, %v", n, err)
				}
			}
			if m, err := r.Next(); err != nil || m != (Pong{}) {
				t.Fatalf("got %v, %v, want PONG", m, err)
			}
			if m, err := r.Next(); err != io.EOF {
				t.Fatalf("got %v, %v, want EOF", m, err)
			}
		})
	}
}

func TestReadOutsideData(t *testing.T) {
	r := afterGreeting(t, bytes.NewReader(stream(t, Pong{})))
	if n, err := r.Read(make([]byte, 8)); n != 0 || err != io.EOF {
		t.Errorf("got %d, %v: it read what is no file", n, err)
	}
	if _, err := r.Next(); err != nil {
		t.Error(err)
	}
}

func TestSkipUnread(t *testing.T) {
	body := strings.Repeat("x", 100_000)
	for _, read := range []int{0, 1, 5000, 99_999, 100_000} {
		r := afterGreeting(t, bytes.NewReader(stream(t, Data{Len: len(body)}, body, Pong{Token: [8]byte{7}})))
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(r, make([]byte, read)); err != nil {
			t.Fatal(err)
		}
		if m, err := r.Next(); err != nil || m != (Pong{Token: [8]byte{7}}) {
			t.Errorf("after %d of the bytes: got %v, %v", read, m, err)
		}
	}
}

// A stream may end between two messages, and nowhere else.
func TestEOF(t *testing.T) {
	const body = "some bytes of the file"
	s := stream(t, Data{Len: len(body)}, body, Pong{}, Manifest{Values: make([]byte, 96)}, Refuse{Code: Busy, Text: "no"})
	ends := map[int]bool{}
	n := 0
	for _, size := range []int{0, len(unhex(t, greetings[Server])), 16 + len(body), 12, 108, 7} {
		n += size
		ends[n] = true
	}
	if n != len(s) {
		t.Fatalf("the stream has %d bytes, %d expected", len(s), n)
	}
	for cut := range len(s) + 1 {
		for _, skip := range []bool{false, true} {
			err := drain(NewReader(bytes.NewReader(s[:cut]), Server), skip)
			want := io.ErrUnexpectedEOF
			if ends[cut] {
				want = io.EOF
			}
			if err != want {
				t.Errorf("cut at %d (skip %v): got %v, want %v", cut, skip, err, want)
			}
		}
	}
}

// drain reads until an error, which it returns.
func drain(r *Reader, skip bool) error {
	for {
		m, err := r.Next()
		if err != nil {
			return err
		}
		if _, ok := m.(Data); ok && !skip {
			if _, err := io.ReadAll(r); err != nil {
				return err
			}
		}
	}
}

// flaky gives what it is given, and between any two of it a time-out.
type flaky struct {
	parts []string
	late  bool
}

func (f *flaky) Read(p []byte) (int, error) {
	f.late = !f.late
	if f.late {
		return 0, os.ErrDeadlineExceeded
	}
	if len(f.parts) == 0 {
		return 0, io.EOF
	}
	n := copy(p, f.parts[0])
	f.parts[0] = f.parts[0][n:]
	if f.parts[0] == "" {
		f.parts = f.parts[1:]
	}
	return n, nil
}

// A time-out in Await takes nothing from the stream.
func TestAwait(t *testing.T) {
	s := string(stream(t, Data{Len: 3}, "abc", Pong{}))
	r := NewReader(&flaky{parts: []string{s[:len(s)-15], s[len(s)-15 : len(s)-13], s[len(s)-13:]}}, Server)
	var got []Message
	timeouts := 0
	for {
		err := r.Await()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			timeouts++
			continue
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		m, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m)
	}
	if len(got) != 3 || got[2] != (Pong{}) || timeouts < 3 {
		t.Errorf("got %v with %d time-outs", got, timeouts)
	}
	if err := NewReader(bytes.NewReader(nil), Server).Await(); err != io.EOF {
		t.Errorf("got %v, want EOF", err)
	}
	r = afterGreeting(t, bytes.NewReader(stream(t, Data{Len: 3}, "ab")))
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if err := r.Await(); err != io.ErrUnexpectedEOF {
		t.Errorf("got %v, want an unexpected EOF", err)
	}
}

// The values of a manifest last until the next call and no longer: the buffer is one.
func TestBodiesShareABuffer(t *testing.T) {
	r := afterGreeting(t, bytes.NewReader(stream(t, Manifest{Values: bytes.Repeat([]byte{1}, 96)}, Manifest{Offset: 96, Values: bytes.Repeat([]byte{2}, 96)})))
	first, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	second, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if &first.(Manifest).Values[0] != &second.(Manifest).Values[0] {
		t.Error("a buffer for every message")
	}
}

func TestTextIsCutAndMadeValid(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{strings.Repeat("a", 600), strings.Repeat("a", 512)},
		{strings.Repeat("ü", 300), strings.Repeat("ü", 256)},
		{"a" + strings.Repeat("ü", 300), "a" + strings.Repeat("ü", 255)},
		{strings.Repeat("€", 200), strings.Repeat("€", 170)},
		{"a\xffb", "a\uFFFDb"},
	} {
		w := Welcome{Name: strings.Repeat(test.text, 1+maxName/len(test.text)), Manifest: true}
		w.Layout.SegmentSize = 16 << 10
		var got []heard
		for _, m := range []Message{Refuse{Code: Busy, Text: test.text}, w} {
			h, err := listen(NewReader(bytes.NewReader(Append(nil, m)), Server))
			if err != nil || len(h) != 1 {
				t.Fatalf("%.40q: got %v, %v", test.text, h, err)
			}
			got = append(got, h...)
		}
		if !reflect.DeepEqual(got[0].m, Refuse{Code: Busy, Text: test.want}) {
			t.Errorf("%.40q: got %v", test.text, got[0])
		}
		if n := len(got[1].m.(Welcome).Name); n > maxName || n < maxName-2 {
			t.Errorf("%.40q: a name of %d bytes", test.text, n)
		}
	}
}

func TestCodesInWords(t *testing.T) {
	for code, want := range map[Code]string{
		Busy: "busy", Changed: "its file has changed", BadRequest: "bad request", BadVersion: "another protocol version",
		Shutdown: "shutting down", 0: "refusal code 0", 77: "refusal code 77",
	} {
		if code.String() != want {
			t.Errorf("got %q, want %q", code, want)
		}
	}
}
