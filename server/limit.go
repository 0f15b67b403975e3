package server

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"braid/wire"
)

// A limited server sends pieces worth 20 ms, so that it sends evenly; what a
// busy machine made it miss it may make up for, up to 250 ms worth.
const (
	catchUp = 250 * time.Millisecond
	pieces  = int(catchUp / (20 * time.Millisecond))
)

// limiterFor makes the limiter of a virtual server, limit being in bytes/s; nil for 0, no limit.
func limiterFor(limit int64) *rate.Limiter {
	if limit == 0 {
		return nil
	}
	burst := int(min(max(float64(limit)*catchUp.Seconds(), 4<<10), float64(pieces*wire.MaxData)))
	l := rate.NewLimiter(rate.Limit(limit), burst)
	l.AllowN(time.Now(), burst) // nothing was missed yet
	return l
}

// earn waits until the virtual server's limit lets n bytes through, and heeds
// the client meanwhile: the wait is long where many share a low limit.
func (t *sender) earn(ctx context.Context, n int) error {
	n -= t.earned
	turn := t.limiter.ReserveN(time.Now(), n)
	t.earned += n
	timer := time.NewTimer(turn.Delay())
	defer timer.Stop()
	for {
		select {
		case m := <-t.in:
			if err := t.handle(m); err != nil {
				t.giveBack(n)
				return err
			}
		case <-t.ending:
			t.giveBack(n)
			return t.sayGoodbye()
		case <-timer.C:
			return nil
		case <-ctx.Done():
			t.giveBack(n)
			return ctx.Err()
		}
	}
}

// giveBack returns to the limit what n bytes took of it that will not be sent. A reservation's
// own Cancel returns nothing when others have reserved since: clients that ask and leave would
// pile up debt.
func (t *sender) giveBack(n int) { t.limiter.ReserveN(time.Now(), -n) }

// forgo gives up what the limit would have let through while nobody asked:
// only what a busy machine missed may be made up for.
func (t *sender) forgo() {
	if t.limiter == nil {
		return
	}
	now := time.Now()
	if spare := int(t.limiter.TokensAt(now)) - t.limiter.Burst()/pieces; spare > 0 {
		t.limiter.AllowN(now, spare)
	}
}
