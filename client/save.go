package client

import (
	"context"
	"sync"
	"time"
)

// diskQuiet is how long the disk may keep the download from its end before that is told.
const diskQuiet = time.Second

// save finishes the part. A disk that is slower than the links has much to write even then, and
// nobody knows how much: on a flash drive it may be a minute's worth.
func (d *download) save(finish func() (string, error)) (string, error) {
	saving, saved := context.WithCancel(context.Background())
	var telling sync.WaitGroup
	telling.Go(func() {
		sleep(saving, diskQuiet)
		if saving.Err() == nil {
			d.tell.Printf("all of %s has come and verified; the disk is still writing it", d.content.name)
		}
	})
	path, err := finish()
	saved()
	telling.Wait()
	return path, err
}
