package segment

import (
	"bytes"
	"context"
	"os"
	"testing"
)

func TestWholeDownload(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef!"), 10000)
	m, err := Hash(context.Background(), bytes.NewReader(data), int64(len(data)), nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p, err := Create(dir, "a.bin", m)
	if err != nil {
		t.Fatal(err)
	}
	l := m.Layout()
	for i := range l.Count() {
		seg := data[l.Offset(i):][:l.Len(i)]
		if !m.Verify(i, seg) {
			t.Fatalf("segment %d does not verify", i)
		}
		if err := p.WriteSegment(i, seg); err != nil {
			t.Fatal(err)
		}
		p.Mark(i)
	}
	path, err := p.Finish()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("finished file differs (%v)", err)
	}
}
