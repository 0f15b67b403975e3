package flags

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	commas       = regexp.MustCompile(`\s*,\s*`)
	commasSpaces = regexp.MustCompile(`\s*,\s*|\s+`)
)

// splitList splits every value and joins the elements. A list with nothing in
// it and an element with nothing in it are errors.
func splitList(values []string, separator *regexp.Regexp) ([]string, error) {
	var elements []string
	for _, v := range values {
		v = strings.TrimSpace(v)
		if v == "" {
			return nil, errorf("empty list, want one value or several with commas between them")
		}
		parts := separator.Split(v, -1)
		if slices.Contains(parts, "") {
			return nil, errorf("empty element in the list, want values with single commas between them")
		}
		elements = append(elements, parts...)
	}
	return elements, nil
}

// List takes a list of texts with commas between them. A value for which whole
// is true is one element, commas and all; whole may be nil.
func List(p *[]string, whole func(value string) bool) func([]string) error {
	return func(values []string) error {
		var list []string
		for _, v := range values {
			if whole != nil && whole(v) {
				list = append(list, v)
				continue
			}
			elements, err := splitList([]string{v}, commas)
			if err != nil {
				return err
			}
			list = append(list, elements...)
		}
		*p = list
		return nil
	}
}

// MaxPort is the highest TCP or UDP port, and how many a list may have.
const MaxPort = 65535

// Ports takes a list of ports and ranges of ports, 9001,9003-9005 9010. If distinct,
// none may come twice.
func Ports(p *[]int, distinct bool) func([]string) error {
	return func(values []string) error {
		elements, err := splitList(values, commasSpaces)
		if err != nil {
			return err
		}
		var ports []int
		seen := make(map[int]bool)
		for _, e := range elements {
			low, high, err := parseRange(e)
			if err != nil {
				return err
			}
			for port := low; port <= high; port++ {
				if distinct && seen[port] {
					return errorf("port %d is given twice, want each port once", port)
				}
				if len(ports) == MaxPort {
					return errorf("more than %d ports, want no more than that", MaxPort)
				}
				seen[port] = true
				ports = append(ports, port)
			}
		}
		*p = ports
		return nil
	}
}

// parseRange reads 9001, or 9001-9003; both ends belong to the range.
func parseRange(s string) (low, high int, err error) {
	first, last, ranged := strings.Cut(s, "-")
	if low, err = parsePort(s, first); err != nil {
		return 0, 0, err
	}
	if !ranged {
		return low, low, nil
	}
	if high, err = parsePort(s, last); err != nil {
		return 0, 0, err
	}
	if high < low {
		return 0, 0, errorf("range %s runs backwards, want %d-%d", s, high, low)
	}
	return low, high, nil
}

// parsePort reads one port of the list's element.
func parsePort(element, s string) (int, error) {
	port, err := strconv.ParseUint(s, 10, 16)
	if err != nil || port == 0 {
		return 0, errorf("%s is no port, want ports from 1 to %d such as 9001,9002 or 9001-9004", quote(element), MaxPort)
	}
	return int(port), nil
}
