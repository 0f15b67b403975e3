package transport

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"
)

// half is a connection that takes only half of what is written, once.
type half struct {
	bytes.Buffer
	taken bool
}

func (h *half) Write(p []byte) (int, error) {
	if h.taken {
		return h.Buffer.Write(p)
	}
	h.taken = true
	n, _ := h.Buffer.Write(p[:len(p)/2])
	return n, io.ErrShortWrite
}

// TestOutboxHoldsNothing once all is written, and uses its space again.
func TestOutboxHoldsNothing(t *testing.T) {
	spare := new(sync.Pool)
	w := &half{}
	o := outbox{w: w, spare: spare}
	o.rest = append(o.space(), prose(maxBlock)...)
	if err := o.flush(); !errors.Is(err, io.ErrShortWrite) || len(o.rest) != maxBlock/2 {
		t.Errorf("%v, and it holds %d bytes", err, len(o.rest))
	}
	o.rest = append(o.space(), "more"...)
	if err := o.flush(); err != nil || o.rest != nil {
		t.Errorf("%v, and it holds space for %d bytes", err, cap(o.rest))
	}
	if !bytes.Equal(w.Bytes(), append(prose(maxBlock), "more"...)) {
		t.Error("other bytes were written")
	}
	o.rest = append(o.space(), "again"...)
	if o.flush(); !bytes.HasSuffix(w.Bytes(), []byte("moreagain")) {
		t.Errorf("it ends with %q", w.Bytes()[w.Len()-9:])
	}
}

// TestIdleConnectionsHoldLittle of what they have written.
func TestIdleConnectionsHoldLittle(t *testing.T) {
	z := newZstdConn(&wire{}, mustCodec(t, 1), false).(*zstdConn)
	z.Write(noise(maxBlock))
	if z.out.rest != nil {
		t.Errorf("zstd holds space for %d bytes", cap(z.out.rest))
	}
	k := &cork{out: outbox{w: &wire{}, spare: new(sync.Pool)}}
	k.Write(noise(tlsPiece))
	if k.out.rest != nil {
		t.Errorf("tls holds space for %d bytes", cap(k.out.rest))
	}
}
