package report

import (
	"context"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// late is an output that nobody reads before open is closed.
type late struct {
	open chan struct{}
	w    io.Writer
}

func (l *late) Write(b []byte) (int, error) {
	<-l.open
	return l.w.Write(b)
}

// over is a context that has ended.
func over(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// In these tests a caller that waits for a reader is a deadlock, which synctest reports.

// TestPrinterNobodyReads keeps what came first, and delivers it when the reader is there.
func TestPrinterNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got writes
		l := &late{open: make(chan struct{}), w: &got}
		p := NewPrinter(l)
		var want []string
		for i := range 1000 {
			line := fmt.Sprintf("line %d\n", i)
			if n, err := p.Write([]byte(line)); n != len(line) || err != nil {
				t.Fatalf("wrote %d, %v", n, err)
			}
			if i == 0 {
				synctest.Wait() // it is being written, the others wait behind it
			}
			if i <= blockBacklog {
				want = append(want, line)
			}
		}
		time.AfterFunc(time.Hour, func() { close(l.open) })
		p.Close(t.Context())
		compare(t, got.all, want)
	})
}

// TestPrinterInterrupted holds that a signal does not wait for a reader, but lets one that is there
// have everything.
func TestPrinterInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &late{open: make(chan struct{}), w: io.Discard}
		p := NewPrinter(l)
		p.Write([]byte("x"))
		begun := time.Now()
		p.Close(over(t))
		if took := time.Since(begun); took > goodbye {
			t.Errorf("it took %v", took)
		}
		close(l.open)

		var got writes
		p = NewPrinter(&got)
		for range blockBacklog {
			p.Write([]byte("x"))
		}
		p.Close(over(t))
		compare(t, got.all, slices.Repeat([]string{"x"}, blockBacklog))
		p.Write([]byte("late"))
		compare(t, got.all, slices.Repeat([]string{"x"}, blockBacklog))
	})
}

// TestPrinterLastLine loses no line that was printed just before the end.
func TestPrinterLastLine(t *testing.T) {
	for range 2000 {
		var got writes
		p := NewPrinter(&got)
		fmt.Fprint(p, "last\n")
		p.Close(t.Context())
		if len(got.all) != 1 {
			t.Fatalf("wrote %q", got.all)
		}
	}
}
