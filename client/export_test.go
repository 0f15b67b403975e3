package client

import "braid/segment"

// OnDisk has runs of segments written by what disk makes of a part.
func (e Env) OnDisk(disk func(*segment.Part) func(run segment.Run, data []byte) error) Env {
	e.disk = func(p *segment.Part) write { return disk(p) }
	return e
}
