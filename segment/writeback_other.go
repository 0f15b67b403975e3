//go:build !linux

package segment

// writeBack leaves it to the system when to write.
func (system) writeBack(file, int64, int64) error { return nil }
