package report

import (
	"bytes"
	"context"
	"io"
	"sync"
	"time"
)

// How much waits for a slow reader, at most. A drawing is worth nothing later; of blocks the next
// one tells more; an event is told only once.
const (
	drawingBacklog = 1
	blockBacklog   = 64
	eventBacklog   = 1024
)

// goodbye is how long an output is waited for when a signal has asked for the end.
const goodbye = 250 * time.Millisecond

// Printer is a writer whose callers never wait for its reader: a pipe that nobody empties, or a
// terminal that is halted, must not keep a command or a signal from being heeded. Each Write
// should be whole lines; one that finds 64 others waiting is dropped.
type Printer struct {
	w     io.Writer
	queue *queue
}

// NewPrinter returns a Printer over w, which is the Printer's until Close.
func NewPrinter(w io.Writer) *Printer { return &Printer{w: w, queue: newQueue()} }

// Write never waits and never fails.
func (p *Printer) Write(b []byte) (int, error) {
	kept := bytes.Clone(b)
	_ = p.queue.ask(blockBacklog, func() error { // nobody is left to be told of a failure
		_, err := p.w.Write(kept)
		return err
	})
	return len(b), nil
}

// Close waits until all has been written; once ctx is over, for a quarter of a second at most.
// What comes later is dropped.
func (p *Printer) Close(ctx context.Context) { p.queue.close(ctx) }

// queue does what may have to wait for a reader, a job at a time, beside those who ask for it.
type queue struct {
	jobs   chan job
	ending chan struct{}
	ended  chan struct{}

	mu      sync.Mutex
	patient context.Context // who asks waits, until it is over
	err     error           // of the first job that failed
}

type job struct {
	do   func() error
	done chan struct{}
}

// newQueue starts a queue, which the caller closes. Nobody waits for it before wait.
func newQueue() *queue {
	impatient, cancel := context.WithCancel(context.Background())
	cancel()
	q := &queue{
		jobs: make(chan job, eventBacklog), ending: make(chan struct{}), ended: make(chan struct{}), patient: impatient,
	}
	go q.run()
	return q
}

// run does the jobs, to the last one when the end has come.
func (q *queue) run() {
	defer close(q.ended)
	for {
		select {
		case j := <-q.jobs:
			q.work(j)
		case <-q.ending:
			q.drain()
			return
		}
	}
}

// drain does the jobs that were asked for before the end: a select does not tell which of two
// channels was ready first.
func (q *queue) drain() {
	for {
		select {
		case j := <-q.jobs:
			q.work(j)
		default:
			return
		}
	}
}

func (q *queue) work(j job) {
	if err := j.do(); err != nil {
		q.failed(err)
	}
	close(j.done)
}

// wait has who asks from now on wait until the job is done, or ctx is over.
func (q *queue) wait(ctx context.Context) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.patient = ctx
}

// ask has a job done; if nobody waits, only when less than backlog others are waiting. The error
// is that of the first job that has failed so far.
func (q *queue) ask(backlog int, do func() error) error {
	q.mu.Lock()
	patient := q.patient
	q.mu.Unlock()
	j := job{do: do, done: make(chan struct{})}
	if patient.Err() == nil {
		select {
		case q.jobs <- j:
		case <-patient.Done():
		case <-q.ended:
		}
		select {
		case <-j.done:
		case <-patient.Done():
		case <-q.ended:
		}
	} else if len(q.jobs) < backlog {
		select {
		case q.jobs <- j:
		default: // somebody else was faster
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.err
}

func (q *queue) failed(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.err = err
	}
}

// close ends the queue when its jobs are done, or goodbye after ctx is over.
func (q *queue) close(ctx context.Context) {
	close(q.ending)
	select {
	case <-q.ended:
		return
	case <-ctx.Done():
	}
	select {
	case <-q.ended:
	case <-time.After(goodbye):
	}
}
