package client

import (
	"net"
	"time"

	"braid/segment"
	"braid/wire"
)

// event is what goroutines tell the download.
type event any

type (
	// dialed: an attempt to connect has ended.
	dialed struct {
		server *server
		why    purpose
		nc     net.Conn // nil: err says why
		took   time.Duration
		err    error
		// superseded: it was given up for a newer one
		superseded bool
	}
	// welcomed: a server has said what it has.
	welcomed struct {
		c       *conn
		welcome *wire.Welcome
		took    time.Duration
	}
	// manifested: a manifest has come whole; it is not checked yet.
	manifested struct {
		c      *conn
		values []byte
	}
	// checked: a manifest has been checked against its root.
	checked struct {
		c        *conn
		manifest *segment.Manifest
		err      error
	}
	// proved: a size that a server claims has been checked, by its last segment.
	proved struct {
		c   *conn
		err error
	}
	// opened: the part file is ready, or there is no need for one.
	opened struct {
		content *content
		outcome opening
		err     error
	}
	// readBack: a segment that the part is said to hold was read.
	readBack struct {
		content  *content
		index    int
		verifies bool
	}
	// discarded: the files of a content that was given up are gone.
	discarded struct{}
	// received: n bytes have come, of request req the ones before an offset.
	received struct {
		c      *conn
		n      int
		req    uint32
		offset int64
	}
	// overhead: n bytes have come that are not of the file. The balancer would
	// take the time that they took for a gap.
	overhead struct {
		c *conn
		n int
	}
	// heldBack: a piece has come before the content was known.
	heldBack struct {
		c     *conn
		piece piece
	}
	// landed: the segments of run have come, for request req; they have verified and are
	// written. err is what is wrong with the segment behind run.
	landed struct {
		c   *conn
		req uint32
		run segment.Run
		err error
	}
	// ponged: a PING was answered.
	ponged struct {
		c   *conn
		rtt time.Duration
	}
	// ended: a connection is over; err says why.
	ended struct {
		c   *conn
		err error
	}
)

// purpose is what a connection is dialled for.
type purpose int

const (
	toSeek  purpose = iota // the server has none
	toProbe                // the ones it has are silent
	toAdd                  // another stream may help
	toStart                // two are as wide as the path sooner, see start.go
)

// begins reports whether a connection for this purpose may be one of the two that a server begins with.
func (p purpose) begins() bool { return p == toSeek || p == toStart }
