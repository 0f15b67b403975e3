package client

import (
	"time"

	"braid/balance"
	"braid/segment"
)

// content is what is being fetched: provisional until the vote is decided, so
// that the vote costs no time.
type content struct {
	key          key
	layout       segment.Layout
	name         string // made safe
	fromDisk     bool   // a partial download is there, to be resumed with -r
	nothingThere bool   // neither a partial download nor a file of the name
	manifest     *segment.Manifest
	part         *segment.Part
	balancer     *balance.Balancer // nil until it is known that nothing is on disk, or what
	store        *store            // of part; nil until that is there
	resumed      bool              // part was there before
	unread       int64             // bytes that it is said to hold and that were not read back yet
	allCame      time.Time         // since when nothing but reading them back is left
	toldAllCame  bool              // and that this was told
	waits        bool              // part must not be opened before the vote is decided

	asked   *conn     // whom the manifest was asked of last
	askedAt time.Time // when
}
