package balance

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkDownload measures the balancer's own work for each portion of data
// that comes, Plan and Next included: many lanes, millions of segments.
func BenchmarkDownload(b *testing.B) {
	for _, lanes := range []int{4, 64, 2000} {
		b.Run(fmt.Sprintf("lanes=%d", lanes), func(b *testing.B) {
			const segs = 2_500_000
			var bal *Balancer
			var queues [][]Order
			now := epoch
			obey := func() {
				for _, o := range bal.Plan(now) {
					if o.Kind == Ask {
						queues[o.Lane] = append(queues[o.Lane], o)
					}
				}
				bal.Next(now)
			}
			start := func() {
				bal = New(Config{Size: segs * 4 << 20, SegmentSize: 4 << 20})
				queues = make([][]Order, lanes)
				for l := range lanes {
					bal.Join(Lane(l), l, 20*time.Millisecond, now)
				}
				obey()
			}
			start()
			b.ResetTimer()
			for i := 0; b.Loop(); i++ {
				l := i % lanes
				if len(queues[l]) == 0 {
					b.StopTimer()
					start() // the file is complete
					b.StartTimer()
				}
				now = now.Add(time.Second / 8 / time.Duration(lanes))
				q := &queues[l][0].Run
				bal.Received(Lane(l), 4<<20, now)
				bal.Verified(Lane(l), queues[l][0].ID, q.First, now)
				q.First, q.Count = q.First+1, q.Count-1
				if q.Count == 0 {
					queues[l] = queues[l][1:]
				}
				obey()
			}
		})
	}
}
