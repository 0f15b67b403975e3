package segment

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// childDir makes the test program a client that has half a download in that folder
// and hangs, for the tests to collide with and to kill.
const childDir = "BRAID_TEST_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := halfADownload(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func halfADownload(dir string) error {
	data := pattern(childSize)
	m, err := Hash(context.Background(), bytes.NewReader(data), childSize, nil)
	if err != nil {
		return err
	}
	p, err := Create(dir, childName, m)
	if err != nil {
		return err
	}
	for i := range m.Layout().Count() / 2 {
		if err := p.Write(Run{i, 1}, piece(data, m.Layout(), i)); err != nil {
			return err
		}
		p.Mark(Run{i, 1})
	}
	if err := p.Checkpoint(); err != nil {
		return err
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	return nil
}

const (
	childName = "film.avi"
	childSize = 300_001
)

// pattern returns n bytes of the input of BLAKE3's official test vectors.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
}

// piece returns segment i of data.
func piece(data []byte, l Layout, i int) []byte {
	return data[l.Offset(i):][:l.Len(i)]
}

// manifestOf hashes data.
func manifestOf(t testing.TB, data []byte) *Manifest {
	t.Helper()
	m, err := Hash(context.Background(), bytes.NewReader(data), int64(len(data)), nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
