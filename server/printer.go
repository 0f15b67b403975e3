package server

import (
	"bytes"
	"io"
	"time"
)

// backlog is how many writes wait for a slow reader, at most.
const backlog = 64

// printer writes to w beside its callers, who never wait for w's reader: a pipe that nobody
// empties, or a terminal that is halted, must not keep E2, Q or a signal from being heeded. What
// finds the backlog full is dropped.
type printer struct {
	w      io.Writer
	queue  chan []byte
	ending chan struct{}
	ended  chan struct{}
}

// newPrinter starts a printer, which the caller closes.
func newPrinter(w io.Writer) *printer {
	p := &printer{w: w, queue: make(chan []byte, backlog), ending: make(chan struct{}), ended: make(chan struct{})}
	go p.run()
	return p
}

// Write never fails.
func (p *printer) Write(b []byte) (int, error) {
	select {
	case p.queue <- bytes.Clone(b):
	default:
	}
	return len(b), nil
}

// run writes until the end, or until w fails.
func (p *printer) run() {
	defer close(p.ended)
	for {
		var b []byte
		select {
		case b = <-p.queue:
		default:
			select {
			case b = <-p.queue:
			case <-p.ending:
				return
			}
		}
		if _, err := p.w.Write(b); err != nil {
			return
		}
	}
}

// close waits until what is queued has been written, for goodbye at most.
func (p *printer) close() {
	close(p.ending)
	select {
	case <-p.ended:
	case <-time.After(goodbye):
	}
}
