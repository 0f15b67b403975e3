// Package report shows what braid is doing: snapshots go in, and text or JSON
// blocks for stdout, event lines and a live area for stderr, and a page for a browser come out.
//
// It only consumes, and knows no other package of braid: whoever holds the state hands over a
// snapshot when it is time. That they need not wait for a reader, Screen and Printer have
// goroutines, which end with their Close.
package report

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Server is one server as the client sees it.
type Server struct {
	Number  int     // 1 for the first port given
	Address string  // host:port
	Bytes   int64   // bytes of the finished file that came from it in this run and verified
	Arrived int64   // bytes of file data that came from it in this run, verified or not
	Speed   float64 // bytes/s, over the interval just past
	State   string  // seeking, connected, stalled, lost, refused, …
	Streams int     // open connections
}

// Progress is a download at one moment.
type Progress struct {
	Elapsed time.Duration // since the start of the run
	Size    int64         // bytes of the whole file; 0 while no server has told it
	Bytes   int64         // verified bytes in hand, those found by a resume included
	Speed   float64       // bytes/s, over the interval just past
	Left    time.Duration // estimated time to the end; negative when unknown
	Servers []Server      // in the order of their numbers
}

// Result is a download that has ended well.
type Result struct {
	Path    string        // where the file is
	Size    int64         // bytes
	BLAKE3  string        // 64 hex digits
	Elapsed time.Duration // length of the run
	Speed   float64       // bytes/s, average of the run
	Resumed int64         // bytes that a resume found on disk
	Wasted  int64         // bytes that arrived twice or did not verify
	Servers []Server      // with the average speeds of the run
}

// VirtualServer is one virtual server as the server program sees it.
type VirtualServer struct {
	Number      int // 1 for the first port given
	Port        int
	Alive       bool
	Connections int   // open now
	BytesSent   int64 // since the program started
}

// DownloadWriter writes the client's reports to stdout, in one format.
// Its methods may be called from several goroutines.
type DownloadWriter struct {
	sink
	progress func(Progress) []byte
	result   func(Result) []byte
}

// NewDownloadWriter returns a DownloadWriter to w. The format is "text", "json" or
// "none"; another one is an error that names these. The caller keeps w.
func NewDownloadWriter(format string, w io.Writer) (*DownloadWriter, error) {
	d := &DownloadWriter{sink: sink{w: w}}
	switch format {
	case "text":
		d.progress, d.result = textProgress, textResult
	case "json":
		d.progress, d.result = jsonProgress, jsonResult
	case "none":
		d.progress = func(Progress) []byte { return nil }
		d.result = func(Result) []byte { return nil }
	default:
		return nil, errFormat(format)
	}
	return d, nil
}

// Progress writes one block. After a write has failed, nothing more is
// written; Err and Result return that error.
func (d *DownloadWriter) Progress(p Progress) { d.write(d.progress(p)) }

// Result writes the last line. It returns the first error that any write of
// this writer met: a download is no worse for a stdout that was closed, so the
// caller decides what that is worth.
func (d *DownloadWriter) Result(r Result) error {
	d.write(d.result(r))
	return d.Err()
}

// StatusWriter writes the server's status blocks to stdout, in one format.
// Its methods may be called from several goroutines.
type StatusWriter struct {
	sink
	status func([]VirtualServer) []byte
}

// NewStatusWriter returns a StatusWriter to w, with the formats and
// errors of NewDownloadWriter.
func NewStatusWriter(format string, w io.Writer) (*StatusWriter, error) {
	s := &StatusWriter{sink: sink{w: w}}
	switch format {
	case "text":
		s.status = textStatus
	case "json":
		s.status = jsonStatus
	case "none":
		s.status = func([]VirtualServer) []byte { return nil }
	default:
		return nil, errFormat(format)
	}
	return s, nil
}

// Status writes one block, with the servers in the order given. After a write
// has failed, nothing more is written; Err returns that error.
func (s *StatusWriter) Status(servers []VirtualServer) { s.write(s.status(servers)) }

func errFormat(format string) error {
	return fmt.Errorf("unknown report format %q: it must be text, json or none", format)
}

// sink writes whole blocks, one Write each, and stops at the first error: a
// reader that has gone is told nothing more and ends nobody's work.
type sink struct {
	mu  sync.Mutex
	w   io.Writer
	err error
}

func (s *sink) write(block []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || len(block) == 0 {
		return
	}
	n, err := s.w.Write(block)
	if err == nil && n < len(block) {
		err = io.ErrShortWrite
	}
	if err != nil {
		s.err = fmt.Errorf("cannot write the report: %w", err)
	}
}

// Err returns the error of the first write that failed, nil while none has.
func (s *sink) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
