package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"unicode/utf8"
)

// picture draws the rows' throughput as bars, in SVG that reads on light and
// dark pages.
func picture(rows []*row, size int64) []byte {
	const bar, line, letter = 420, 34, 8 // a letter is hardly wider at this font size
	top, longest := 0.0, 0
	for _, r := range rows {
		top = max(top, float64(size)/median(r.got, wallOf)/1e6)
		longest = max(longest, utf8.RuneCountInString(r.name))
	}
	left := 20 + longest*letter
	width := left + bar + 70
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="14" role="img">`+"\n", width, len(rows)*line+50)
	fmt.Fprintf(&b, "<title>Throughput on loopback, %d MiB, median of %d runs, MB/s</title>\n", size>>20, len(rows[0].got))
	b.WriteString("<style>text{fill:#222}@media(prefers-color-scheme:dark){text{fill:#ddd}}</style>\n")
	fmt.Fprintf(&b, `<text x="10" y="24" font-weight="bold">MB/s on loopback, %d MiB, median of %d runs</text>`+"\n", size>>20, len(rows[0].got))
	for i, r := range rows {
		rate := float64(size) / median(r.got, wallOf) / 1e6
		length := int(math.Round(rate / top * bar))
		y, fill := 40+i*line, "#8899aa"
		if i == 0 {
			fill = "#d9822b"
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text><rect x="%d" y="%d" width="%d" height="%d" rx="3" fill="%s"/><text x="%d" y="%d">%.0f</text>`+"\n",
			left-10, y+20, html.EscapeString(r.name), left, y+4, length, line-10, fill, left+length+8, y+20, rate)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}
