package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"

	"braid/segment"
)

// vector is a test vector; the file itself explains the fields.
type vector struct {
	Name, Place, Bytes, Again, Fails string

	From     string
	Pad      int
	Messages []vectorMessage
}

type vectorMessage struct {
	Type                            string
	Part, Parts, Max                uint32
	Size, Offset                    int64
	SegmentSize                     int64 `json:"segment_size"`
	Root, Name, Values, Token, Text string
	Bytes                           string
	Manifest, Hardy                 bool
	ID                              uint32
	First, Count, Keep              int
	Code                            byte
}

// greetings are a HELLO and a WELCOME, from the vectors, to come before a message.
var greetings = map[Side]string{
	Client: "01 00000c 00000000 00000000 00000000",
	Server: "02 000031 0000000000000001 0000000000000000000000000000000000000000000000000000000000000000 00004000 0000 0001 61",
}

func vectors(t testing.TB) []vector {
	t.Helper()
	b, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		About   []string
		Vectors []vector
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		t.Fatal(err)
	}
	mustFail := 0
	for _, v := range file.Vectors {
		if v.Fails != "" {
			mustFail++
		}
	}
	if good := len(file.Vectors) - mustFail; good < 30 || mustFail < 60 {
		t.Fatalf("%d vectors and %d that must fail: some are missing", good, mustFail)
	}
	return file.Vectors
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return b
}

func (v vector) side(t testing.TB) Side {
	t.Helper()
	side, ok := map[string]Side{"client": Client, "server": Server}[v.From]
	if !ok {
		t.Fatalf("from %q", v.From)
	}
	return side
}

// stream is the vector's bytes with the pad.
func (v vector) stream(t testing.TB) []byte {
	return append(unhex(t, v.Bytes), make([]byte, v.Pad)...)
}

// heard is a message with the file bytes that followed it.
type heard struct {
	m    Message
	body []byte
}

// want is what the vector says that its bytes mean.
func (v vector) want(t testing.TB) []heard {
	var all []heard
	for _, m := range v.Messages {
		pad := make([]byte, v.Pad)
		h := heard{}
		switch m.Type {
		case "HELLO":
			h.m = Hello{Part: m.Part, Parts: m.Parts, Max: m.Max}
		case "WELCOME":
			h.m = Welcome{
				Layout: segment.Layout{Size: m.Size, SegmentSize: m.SegmentSize}, Root: segment.Root(unhex(t, m.Root)),
				Manifest: m.Manifest, Hardy: m.Hardy, Name: m.Name + string(pad),
			}
		case "GET-MANIFEST":
			h.m = GetManifest{}
		case "MANIFEST":
			h.m = Manifest{Offset: m.Offset, Values: append(unhex(t, m.Values), pad...)}
		case "REQUEST":
			h.m = Request{ID: m.ID, Run: segment.Run{First: m.First, Count: m.Count}}
		case "CANCEL":
			h.m = Cancel{ID: m.ID, Keep: m.Keep}
		case "DATA":
			h.body = append(unhex(t, m.Bytes), pad...)
			h.m = Data{ID: m.ID, Offset: m.Offset, Len: len(h.body)}
		case "PING":
			h.m = Ping{Token: [8]byte(unhex(t, m.Token))}
		case "PONG":
			h.m = Pong{Token: [8]byte(unhex(t, m.Token))}
		case "REFUSE":
			h.m = Refuse{Code: Code(m.Code), Text: m.Text + string(pad)}
		default:
			t.Fatalf("type %q", m.Type)
		}
		all = append(all, h)
	}
	return all
}

// listen reads messages to the end of the stream or an error.
func listen(r *Reader) ([]heard, error) {
	var all []heard
	for {
		m, err := r.Next()
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		h := heard{m: m}
		switch m := m.(type) {
		case Manifest:
			m.Values = bytes.Clone(m.Values)
			h.m = m
		case Data:
			if h.body, err = io.ReadAll(r); err != nil {
				return all, err
			}
		}
		all = append(all, h)
	}
}

func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			side, stream := v.side(t), v.stream(t)
			switch v.Place {
			case "preface":
				checkPreface(t, v, stream)
				return
			case "later":
				stream = append(unhex(t, greetings[side]), stream...)
			case "first":
			default:
				t.Fatalf("place %q", v.Place)
			}
			r := NewReader(bytes.NewReader(stream), side)
			if v.Place == "later" {
				if _, err := r.Next(); err != nil {
					t.Fatal(err)
				}
			}
			got, err := listen(r)
			checkFailure(t, v.Fails, err)
			want := v.want(t)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("\n got %+v\nwant %+v", got, want)
			}
			if v.Fails != "" {
				return
			}
			again := v.stream(t)
			if v.Again != "" {
				again = unhex(t, v.Again)
			}
			if b := encode(got); !bytes.Equal(b, again) {
				t.Errorf("encoded\n got %.200x\nwant %.200x", b, again)
			}
		})
	}
}

// encode is the stream that says what was heard.
func encode(all []heard) []byte {
	var b []byte
	for _, h := range all {
		b = append(Append(b, h.m), h.body...)
	}
	return b
}

func checkPreface(t *testing.T, v vector, stream []byte) {
	err := NewReader(bytes.NewReader(stream), v.side(t)).Preface()
	checkFailure(t, v.Fails, err)
	want := Preface()
	if v.Fails == "" && !bytes.Equal(stream, want[:]) {
		t.Errorf("Preface() is %x, the vector %x", want, stream)
	}
}

// checkFailure reports whether err is of the kind that a vector must fail with.
func checkFailure(t *testing.T, kind string, err error) {
	t.Helper()
	var version *VersionError
	var broken *ProtocolError
	errors.As(err, &broken)
	says := func(s string) bool { return broken != nil && strings.Contains(broken.Reason, s) }
	kinds := map[string]bool{
		"":          err == nil,
		"stranger":  err == ErrStranger,
		"version":   errors.As(err, &version),
		"truncated": err == io.ErrUnexpectedEOF,
		"type":      says("unknown message type"),
		"side":      says("from the wrong side"),
		"length":    says("message type") && says(" bytes, want "),
		"order":     says("greeting belongs"),
		"content":   broken != nil && !says("message type"),
	}
	if met, known := kinds[kind]; !known || !met {
		t.Errorf("got error %v, want one of kind %q", err, kind)
	}
}
