package balance

import "time"

const (
	leastGap    = 50 * time.Millisecond // that may have held something up
	catchUpTime = 20 * time.Millisecond // in which all that it held up comes
)

// catchUp is the time in which what a gap has held up, behind a lost packet say, comes all at
// once. It took all of the gap, so no sample of a rate may end amid it: it would look like a
// burst of speed.
type catchUp struct{ until time.Time }

// noteGap notes that something comes after a gap; one that is no longer than usual has held
// nothing up. Both are in seconds.
func (c *catchUp) noteGap(gap, usual float64, now time.Time) {
	if gap > max(usual, leastGap.Seconds()) {
		c.until = now.Add(catchUpTime)
	}
}

// lasts reports whether what comes now may have been held up.
func (c *catchUp) lasts(now time.Time) bool { return now.Before(c.until) }
