package flags

import (
	"net"
	"net/netip"
	"strings"
)

// Host takes an address to listen on; an empty one is every address.
func Host(p *string) func([]string) error {
	return func(values []string) error {
		host := strings.TrimSpace(values[0])
		if host != "" {
			var err error
			if host, err = parseHost(host); err != nil {
				return err
			}
		}
		*p = host
		return nil
	}
}

// Hosts takes a list of addresses: IPv4 or IPv6 literals (in brackets or not),
// or host names. The brackets are dropped.
func Hosts(p *[]string) func([]string) error {
	return func(values []string) error {
		elements, err := splitList(values, commasSpaces)
		if err != nil {
			return err
		}
		var hosts []string
		for _, e := range elements {
			host, err := parseHost(e)
			if err != nil {
				return err
			}
			hosts = append(hosts, host)
		}
		*p = hosts
		return nil
	}
}

const (
	digits  = "0123456789"
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// isNumber holds of a port, and of a last label that only an IPv4 address can have.
func isNumber(s string) bool { return s != "" && strings.Trim(s, digits) == "" }

// isLabel holds of a part of a host name (RFC 1123), with the underscore that
// many networks use.
func isLabel(s string) bool {
	return s != "" && len(s) <= 63 && strings.Trim(s, digits+letters+"_-") == "" && strings.Trim(s, "-") == s
}

// CanonicalHost is the one form that all spellings of an address have: ::1 and
// 0:0:0:0:0:0:0:1, LOCALHOST and localhost. Names are not looked up.
func CanonicalHost(host string) string {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().String()
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// parseHost checks one address and drops its brackets.
func parseHost(s string) (string, error) {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok {
			if ip, err := netip.ParseAddr(inner); err == nil && ip.Is6() {
				return inner, nil
			}
		}
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return s, nil
	}
	if host, port, err := net.SplitHostPort(s); err == nil && host != "" && isNumber(port) {
		return "", errorf("%s has a port in it, want %s here and %s in --ports/-p", quote(s), quote(host), quote(port))
	}
	labels := strings.Split(strings.TrimSuffix(s, "."), ".")
	good := len(s) <= 253 && !isNumber(labels[len(labels)-1])
	for _, l := range labels {
		good = good && isLabel(l)
	}
	if !good {
		return "", errorf("%s is no address, want an IPv4 or IPv6 address or a host name", quote(s))
	}
	return s, nil
}
