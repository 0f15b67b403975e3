package flags

import (
	"net"
	"strconv"
)

// HostPort takes host:port, an IPv6 address in brackets; no host is every
// address of the machine. The port is given in its plain form.
func HostPort(p *string) func([]string) error {
	return func(values []string) error {
		host, port, err := net.SplitHostPort(values[0])
		if err != nil {
			return errorf("want host:port, such as 127.0.0.1:9100 or [::1]:9100, or :9100 for every address")
		}
		if host != "" {
			if host, err = parseHost(host); err != nil {
				return err
			}
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return errorf("%s is no port, want one from 1 to %d", quote(port), MaxPort)
		}
		*p = net.JoinHostPort(host, strconv.Itoa(int(n)))
		return nil
	}
}
