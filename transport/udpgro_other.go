//go:build !linux

package transport

import "net"

// socketFor is what quic-go is to use.
func socketFor(udp *net.UDPConn) net.PacketConn { return &quietSocket{UDPConn: udp} }
