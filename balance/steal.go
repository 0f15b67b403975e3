package balance

// noteHunger remembers that a lane could do with work when the pool has none.
func (b *Balancer) noteHunger(l *lane) {
	if !b.hungry {
		b.hungry = true
		b.again = b.now
	}
}

// rebalance gives lanes that are about to run dry work of those that would
// finish last.
func (b *Balancer) rebalance() {
}
