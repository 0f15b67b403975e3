package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
)

// Ports of the tests are below those that systems give to outgoing connections: one of
// those may be taken by somebody else before it is used.
const (
	lowestPort  = 20_000
	portsOfTest = 12_000
)

// nextPort is where freePortsOf goes on, so that tests side by side do not meet. It begins
// anywhere, as other programs' tests may do the same.
var nextPort = struct {
	sync.Mutex
	offset int
}{offset: rand.IntN(portsOfTest)}

// freePortsOf finds n ports in a row on which nothing listens, with TCP or UDP.
func freePortsOf(t *testing.T, n int) []int {
	t.Helper()
	nextPort.Lock()
	defer nextPort.Unlock()
	var ports []int
	for range portsOfTest {
		if nextPort.offset++; nextPort.offset >= portsOfTest {
			nextPort.offset, ports = 0, nil
		}
		port := lowestPort + nextPort.offset
		if !isFree(port) {
			ports = nil
			continue
		}
		if ports = append(ports, port); len(ports) == n {
			return ports
		}
	}
	t.Fatalf("there are no %d free ports in a row", n)
	return nil
}

func isFree(port int) bool {
	address := fmt.Sprintf("127.0.0.1:%d", port)
	l, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	l.Close()
	p, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	p.Close()
	return true
}

// portList is ports as a flag takes them.
func portList(ports []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(ports), " ", ","), "[]")
}
