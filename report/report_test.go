package report

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"sync"
	"testing"
	"time"
)

const digest = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"

// writes records every Write on its own, and fails from the limit-th on.
type writes struct {
	mu    sync.Mutex
	all   []string
	limit int
}

var errGone = errors.New("broken pipe")

func (w *writes) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.limit > 0 && len(w.all) >= w.limit-1 {
		w.limit = 1
		return 0, errGone
	}
	w.all = append(w.all, string(p))
	return len(p), nil
}

func newDownloadWriter(t *testing.T, format string, w io.Writer) *DownloadWriter {
	t.Helper()
	d, err := NewDownloadWriter(format, w)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func newStatusWriter(t *testing.T, format string, w io.Writer) *StatusWriter {
	t.Helper()
	s, err := NewStatusWriter(format, w)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var (
	sampleProgress = Progress{
		Elapsed: 1500 * time.Millisecond, Size: 8_000_000, Bytes: 3_456_789, Speed: 2_304_526, Left: 2 * time.Second,
		Servers: []Server{
			{Number: 1, Address: "127.0.0.1:9001", Bytes: 3_000_000, Speed: 2_000_049, State: "connected", Streams: 2},
			{Number: 2, Address: "[::1]:9002", Bytes: 456_789, Speed: 304_526.6, State: "stalled", Streams: 1},
		},
	}
	sampleResult = Result{
		Path: "out/video <1>.avi", Size: 8_000_000, BLAKE3: digest, Elapsed: 3456 * time.Millisecond, Speed: 2_314_814.8148,
		Resumed: 16384, Wasted: 5, Servers: []Server{{Number: 1, Address: "127.0.0.1:9001", Bytes: 7_983_616, Speed: 1, State: "connected"}},
	}
	sampleServers = []VirtualServer{
		{Number: 1, Port: 9001, Alive: true, Connections: 3, BytesSent: 1 << 40},
		{Number: 2, Port: 9002},
	}
)

// Each text block is exactly the contract's, and one Write.
func TestText(t *testing.T) {
	speeds := Progress{Servers: []Server{
		{Number: 1, Speed: math.NaN()}, {Number: 2, Speed: math.Inf(1)}, {Number: 3, Speed: -4000}, {Number: 4, Speed: 1e15}, {Number: 5, Speed: 49},
	}, Speed: math.Inf(-1)}
	var w writes
	d := newDownloadWriter(t, "text", &w)
	d.Progress(sampleProgress)
	d.Progress(Progress{})
	d.Progress(speeds)
	if err := d.Result(sampleResult); err != nil {
		t.Fatal(err)
	}
	newStatusWriter(t, "text", &w).Status(sampleServers)
	want := []string{
		"Server 1: 3000000/8000000, download speed: 2000.0kb/s\n" +
			"Server 2: 456789/8000000, download speed: 304.5kb/s\n" +
			"Total: 3456789/8000000, download speed: 2304.5kb/s\n",
		"Total: 0/0, download speed: 0.0kb/s\n",
		"Server 1: 0/0, download speed: 0.0kb/s\n" +
			"Server 2: 0/0, download speed: 0.0kb/s\n" +
			"Server 3: 0/0, download speed: 0.0kb/s\n" +
			"Server 4: 0/0, download speed: 1000000000000.0kb/s\n" +
			"Server 5: 0/0, download speed: 0.0kb/s\n" +
			"Total: 0/0, download speed: 0.0kb/s\n",
		"Saved out/video <1>.avi: 8000000 bytes, blake3 " + digest + ", 3.46s, 2314.8kb/s\n",
		"Server 1: Port: 9001 Status: alive, To Shutdown Server 1 Enter: E1\n" +
			"Server 2: Port: 9002 Status: dead, To Shutdown Server 2 Enter: E2\n",
	}
	compare(t, w.all, want)
}

// A path keeps the Saved line one line, and a long one is not cut.
func TestTextPath(t *testing.T) {
	var w writes
	path := strings.Repeat("long/", 200) + "a\n\x1b[2J\u202eb"
	if err := newDownloadWriter(t, "text", &w).Result(Result{Path: path, BLAKE3: digest}); err != nil {
		t.Fatal(err)
	}
	compare(t, w.all, []string{"Saved " + strings.Repeat("long/", 200) + "a??[2J?b: 0 bytes, blake3 " + digest + ", 0.00s, 0.0kb/s\n"})
}

func TestNoneWritesNothing(t *testing.T) {
	var w writes
	d := newDownloadWriter(t, "none", &w)
	d.Progress(sampleProgress)
	if err := d.Result(sampleResult); err != nil {
		t.Fatal(err)
	}
	newStatusWriter(t, "none", &w).Status(sampleServers)
	compare(t, w.all, nil)
}

func TestUnknownFormat(t *testing.T) {
	_, errDownload := NewDownloadWriter("xml", io.Discard)
	_, errStatus := NewStatusWriter("xml", io.Discard)
	for _, err := range []error{errDownload, errStatus} {
		if err == nil || !strings.Contains(err.Error(), `"xml"`) || !strings.Contains(err.Error(), "text, json or none") {
			t.Errorf("got error %v", err)
		}
	}
}

// A stdout that was closed is remembered and not written to again.
func TestClosedStdout(t *testing.T) {
	w := &writes{limit: 2}
	d := newDownloadWriter(t, "text", w)
	d.Progress(Progress{})
	if err := d.Err(); err != nil {
		t.Fatal(err)
	}
	d.Progress(Progress{})
	if err := d.Err(); !errors.Is(err, errGone) {
		t.Fatalf("got %v after a failed write", err)
	}
	w.limit = 0 // would take writes again
	d.Progress(Progress{})
	if err := d.Result(sampleResult); !errors.Is(err, errGone) {
		t.Errorf("Result returned %v", err)
	}
	if len(w.all) != 1 {
		t.Errorf("wrote %q after the failure", w.all[1:])
	}
}

type shortWriter struct{}

func (shortWriter) Write(p []byte) (int, error) { return len(p) - 1, nil }

func TestShortWrite(t *testing.T) {
	s := newStatusWriter(t, "json", shortWriter{})
	s.Status(sampleServers)
	if err := s.Err(); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("got %v", err)
	}
}

func compare(t *testing.T, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("missing write %d: %q", i, want[i])
		case i >= len(want):
			t.Errorf("write %d too many: %q", i, got[i])
		case got[i] != want[i]:
			t.Errorf("write %d:\n got %q\nwant %q", i, got[i], want[i])
		}
	}
}

// Blocks of several goroutines stay whole.
func TestReportersConcurrently(t *testing.T) {
	var w bytes.Buffer // not safe by itself: -race tells if the lock is missing
	d := newDownloadWriter(t, "text", &w)
	block := string(textProgress(sampleProgress))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				d.Progress(sampleProgress)
			}
		})
	}
	wg.Wait()
	if want := strings.Repeat(block, 400); w.String() != want {
		t.Errorf("blocks were mixed: %d bytes, want %d", w.Len(), len(want))
	}
}
