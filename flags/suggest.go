package flags

import "strings"

// closest is the flag that a mistyped long name may have meant: one that it
// begins, or that begins it, or at most two edits away. Nil if none is near.
func closest(table []Flag, name string) *Flag {
	name = strings.ToLower(name)
	if len(name) < 2 {
		return nil
	}
	var best *Flag
	least := min(2, len(name)/2) + 1
	for i := range table {
		f := &table[i]
		d := distance(name, f.Long)
		if strings.HasPrefix(f.Long, name) || strings.HasPrefix(name, f.Long) {
			d = min(d, 1)
		}
		if d < least {
			best, least = f, d
		}
	}
	return best
}

// distance is the number of insertions, deletions, substitutions and swaps of
// neighbours between two names (optimal string alignment).
func distance(a, b string) int {
	if len(a) > shown {
		return len(a)
	}
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
