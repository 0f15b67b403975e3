package balance

import "time"

// server is what the lanes to one server have in common.
type server struct {
	no    int
	lanes []*lane
}

func (s *server) joined(l *lane, now time.Time) { s.lanes = append(s.lanes, l) }

func (s *server) left(l *lane) {
	for i, o := range s.lanes {
		if o == l {
			s.lanes = append(s.lanes[:i], s.lanes[i+1:]...)
			return
		}
	}
}

func (s *server) received(l *lane, n int) {}

func (s *server) notOpened(now time.Time) {}

func (b *Balancer) streams() {}

func (b *Balancer) streamsNext() time.Time { return time.Time{} }
