package wire

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// counting counts the bytes taken of a stream.
type counting struct {
	r io.Reader
	n int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// A stranger is known by the first byte that is wrong: none behind it is waited for.
func TestStrangerByteByByte(t *testing.T) {
	want := Preface()
	for at := range want {
		if at == 7 { // the version
			continue
		}
		for b := range 256 {
			if byte(b) == want[at] {
				continue
			}
			got := want
			got[at] = byte(b)
			c := &counting{r: strings.NewReader(string(got[:]))}
			if err := readPreface(c); err != ErrStranger || c.n != at+1 {
				t.Fatalf("byte %d is %#x: %v after %d bytes", at, b, err, c.n)
			}
		}
	}
}

func TestVersions(t *testing.T) {
	for v := range 256 {
		p := Preface()
		p[7] = byte(v)
		err := readPreface(iotest.OneByteReader(strings.NewReader(string(p[:]))))
		var other *VersionError
		if v == Version {
			if err != nil {
				t.Error(err)
			}
		} else if !errors.As(err, &other) || other.Version != byte(v) {
			t.Errorf("version %d: got %v", v, err)
		}
	}
}

func TestPrefaceCut(t *testing.T) {
	p := Preface()
	for n := range p {
		if err := readPreface(strings.NewReader(string(p[:n]))); err != io.EOF {
			t.Errorf("after %d bytes: got %v, want EOF", n, err)
		}
	}
	if err := readPreface(iotest.ErrReader(io.ErrClosedPipe)); err != io.ErrClosedPipe {
		t.Errorf("got %v", err)
	}
}

// A client must not take the line for a preface, whatever of it has come.
func TestStrangerLineIsNoPreface(t *testing.T) {
	if err := readPreface(strings.NewReader(StrangerLine)); err != ErrStranger {
		t.Errorf("got %v", err)
	}
	if !strings.HasSuffix(StrangerLine, "\r\n") || strings.Count(StrangerLine, "\n") != 1 {
		t.Errorf("%q is not a line", StrangerLine)
	}
}

// The reader must not lose what comes in one packet with the preface.
func TestPrefaceThenMessage(t *testing.T) {
	p := Preface()
	r := NewReader(strings.NewReader(string(Append(p[:], Hello{Part: 1, Parts: 2, Max: 3}))), Client)
	if err := r.Preface(); err != nil {
		t.Fatal(err)
	}
	if m, err := r.Next(); err != nil || m != (Hello{Part: 1, Parts: 2, Max: 3}) {
		t.Errorf("got %v, %v", m, err)
	}
}
