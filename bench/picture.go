package main

import (
	"bytes"
	"fmt"
	"html"
)

// picture draws the rows' throughput as bars, in SVG that reads on light and
// dark pages.
func picture(rows []*row, size int64) []byte {
	const left, bar, line, width = 230, 420, 34, 720
	top := 0.0
	for _, r := range rows {
		top = max(top, float64(size)/median(r.got, wallOf)/1e6)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="14" role="img">`+"\n", width, len(rows)*line+50)
	fmt.Fprintf(&b, "<title>Throughput on loopback, %d MiB, median of %d runs, MB/s</title>\n", size>>20, len(rows[0].got))
	b.WriteString("<style>text{fill:#222}@media(prefers-color-scheme:dark){text{fill:#ddd}}</style>\n")
	fmt.Fprintf(&b, `<text x="10" y="24" font-weight="bold">MB/s on loopback, %d MiB, median of %d runs</text>`+"\n", size>>20, len(rows[0].got))
	for i, r := range rows {
		rate := float64(size) / median(r.got, wallOf) / 1e6
		y, fill := 40+i*line, "#8899aa"
		if i == 0 {
			fill = "#d9822b"
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text><rect x="%d" y="%d" width="%.0f" height="%d" rx="3" fill="%s"/><text x="%.0f" y="%d">%.0f</text>`+"\n",
			left-10, y+20, html.EscapeString(r.name), left, y+4, rate/top*bar, line-10, fill, left+rate/top*bar+8, y+20, rate)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}
