package transport

import (
	"sync/atomic"
	"syscall"
	"time"
)

// backlog tells whether more has come on a connection than its reader has taken.
type backlog struct {
	socket  syscall.RawConn // where the bytes come from; nil: it is not asked
	some    int             // so many bytes that wait there tell of more
	start   time.Time       // times are counted from it, on the monotonic clock
	full    atomic.Int64    // bytes that were read since a read waited or found little
	reading atomic.Int64    // since when a read is under way, ns; 0: none is
}

// newBacklog starts a nanosecond ago, so that no read begins at 0. See backlog for its arguments.
func newBacklog(socket syscall.RawConn, some int) backlog {
	return backlog{socket: socket, some: some, start: time.Now().Add(-1)}
}

const (
	muchRead = 32 << 10              // bytes that tell of more
	busyRead = 50 * time.Millisecond // on a busy machine a read may take so long though there is more
	waited   = 3 * time.Millisecond  // what a read that took so long found is as a rule all that there is
)

// age is how long ago a time was, in ns since start.
func (b *backlog) age(ns int64) time.Duration { return time.Since(b.start) - time.Duration(ns) }

func (b *backlog) begin() { b.reading.Store(int64(time.Since(b.start))) }

// found notes that the read that is under way could take room bytes and took n. Little is less than
// room and than muchRead. What paces itself sends message by message, and is waited for.
func (b *backlog) found(n, room int) {
	if n < min(room, muchRead) || b.age(b.reading.Load()) >= waited {
		b.full.Store(0)
	} else {
		b.full.Add(int64(n))
	}
}

func (b *backlog) end() { b.reading.Store(0) }

// Behind reports whether there is more to read, as far as can be told: the reader is busy with what it
// has read, or has found much and waits only since just now, or some waits in the socket. Where the system
// does not tell that, the reader may have to wait for longer on a busy machine. It may be called at any time.
func (b *backlog) Behind() bool {
	since := b.reading.Load()
	if since == 0 {
		return true
	}
	much, waits := b.full.Load() >= muchRead, b.age(since)
	if b.socket != nil {
		if n, known := waiting(b.socket); known {
			return n >= b.some || much && waits < waited
		}
	}
	return much && waits < busyRead
}

// rawOf is a connection's socket, or nil if it can no longer be had.
func rawOf(c syscall.Conn) syscall.RawConn {
	raw, _ := c.SyscallConn()
	return raw
}
