package flags

import (
	"encoding/hex"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// The functions below are for Flag.Set: each returns a function that reads the
// values that were given into p, and leaves p alone where they are wrong.

// Text takes any text but none.
func Text(p *string, want string) func([]string) error {
	return func(values []string) error {
		if values[0] == "" {
			return errorf("empty, want %s", want)
		}
		*p = values[0]
		return nil
	}
}

// Secret takes any text; an empty one is no secret.
func Secret(p *string) func([]string) error {
	return func(values []string) error {
		*p = values[0]
		return nil
	}
}

// Switch takes true and false as strconv.ParseBool reads them.
func Switch(p *bool) func([]string) error {
	return func(values []string) error {
		v, err := strconv.ParseBool(values[0])
		if err != nil {
			return errorf("want true or false")
		}
		*p = v
		return nil
	}
}

// Word takes one of the given words.
func Word(p *string, words ...string) func([]string) error {
	return func(values []string) error {
		if !slices.Contains(words, values[0]) {
			return errorf("want %s", Either(words))
		}
		*p = values[0]
		return nil
	}
}

// Transport takes the name of a transport, one of known.
func Transport(p *string, known []string) func([]string) error {
	return func(values []string) error {
		if !slices.Contains(known, values[0]) {
			return errorf("unknown transport, want %s", Either(known))
		}
		*p = values[0]
		return nil
	}
}

// Int takes a whole number from low to high.
func Int(p *int, low, high int) func([]string) error {
	return func(values []string) error {
		v, err := strconv.Atoi(strings.TrimSpace(values[0]))
		if err != nil || v < low || v > high {
			return errorf("want a whole number from %d to %d", low, high)
		}
		*p = v
		return nil
	}
}

// AutoInt takes the word auto, which is 0, or a whole number from 1 to high.
func AutoInt(p *int, high int) func([]string) error {
	return func(values []string) error {
		if values[0] == "auto" {
			*p = 0
			return nil
		}
		if Int(p, 1, high)(values) != nil {
			return errorf("want auto or a whole number from 1 to %d", high)
		}
		return nil
	}
}

// Interval takes a time above zero: seconds, or a number with a unit such as 500ms.
func Interval(p *time.Duration) func([]string) error {
	return func(values []string) error {
		v, err := parseDuration(values[0])
		if err != nil || v <= 0 {
			return errorf("want a time above 0: seconds such as 2 or 0.5, or 500ms, 1m")
		}
		*p = v
		return nil
	}
}

// Duration takes a time of zero or more: seconds, or a number with a unit such as 10m.
func Duration(p *time.Duration) func([]string) error {
	return func(values []string) error {
		v, err := parseDuration(values[0])
		if err != nil || v < 0 {
			return errorf("want a time: seconds such as 0, 2 or 0.5, or 500ms, 10m, 1h")
		}
		*p = v
		return nil
	}
}

// maxDuration is more than anyone waits and far from overflowing.
const maxDuration = 1e6 * time.Hour

// parseDuration reads seconds, or what time.ParseDuration reads.
func parseDuration(s string) (time.Duration, error) {
	s = strings.TrimSpace(s)
	seconds, err := strconv.ParseFloat(s, 64)
	if err != nil {
		d, err := time.ParseDuration(s)
		if err != nil || d > maxDuration || d < -maxDuration {
			return 0, errorf("not a time")
		}
		return d, nil
	}
	if math.IsNaN(seconds) || math.Abs(seconds) > maxDuration.Seconds() {
		return 0, errorf("not a time")
	}
	return time.Duration(math.Round(seconds * float64(time.Second))), nil
}

// Size takes a number of bytes above zero.
func Size(p *int64) func([]string) error {
	return func(values []string) error {
		v, err := parseSize(values[0])
		if err != nil {
			return err
		}
		*p = v
		return nil
	}
}

// Sizes takes a list of numbers of bytes above zero.
func Sizes(p *[]int64) func([]string) error {
	return func(values []string) error {
		elements, err := splitList(values, commas)
		if err != nil {
			return err
		}
		var sizes []int64
		for _, e := range elements {
			v, err := parseSize(e)
			if err != nil {
				return errorf("element %s: %w", quote(e), err)
			}
			sizes = append(sizes, v)
		}
		*p = sizes
		return nil
	}
}

// size is what humanize.ParseBytes is to see: it would also take 1,000.
var size = regexp.MustCompile(`^([0-9]+\.?[0-9]*|\.[0-9]+) ?[A-Za-z]*$`)

// parseSize reads a number of bytes with kB, MB, GB, TB as powers of 1000 and
// KiB, MiB, GiB, TiB as powers of 1024, in any letter case.
func parseSize(s string) (int64, error) {
	s = strings.TrimSpace(s)
	if size.MatchString(s) {
		if v, err := humanize.ParseBytes(s); err == nil && v > 0 && v <= math.MaxInt64 {
			return int64(v), nil
		}
	}
	return 0, errorf("want bytes above 0, such as 300000, 300kB, 2MB, 1.5MiB, 1GB")
}

// Digest takes a BLAKE3 hash in hex, and gives it in lower case.
func Digest(p *string) func([]string) error {
	return func(values []string) error {
		if n := len(values[0]); n != 64 {
			return errorf("%d characters, want the 64 hex digits that b3sum prints", n)
		}
		if _, err := hex.DecodeString(values[0]); err != nil {
			return errorf("not only digits and a to f, want the 64 hex digits that b3sum prints")
		}
		*p = strings.ToLower(values[0])
		return nil
	}
}

// Either lists words as "a, b or c".
func Either(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
