//go:build !linux && !darwin && !freebsd

package transport

import "net"

const bufferAdvice = "its limit would have to be raised"

// growBuffers asks for socket buffers of size bytes. These systems give what
// is asked for, or do not tell: it returns size.
func growBuffers(c *net.UDPConn, size int) int {
	_ = c.SetReadBuffer(size)
	_ = c.SetWriteBuffer(size)
	return size
}
