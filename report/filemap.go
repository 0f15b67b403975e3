package report

import (
	"fmt"
	"strings"
)

// The map of the file, in units of its SVG: rows that are read like lines of text.
const (
	mapColumns = 128
	mapCell    = 8
	mapRow     = 10 // cell and gap
	laneHeight = 14
)

// fileMap draws who delivered which part of the file.
func (d *drawing) fileMap() {
	m := &d.history.parts
	runs := m.runs()
	if len(runs) == 0 {
		return
	}
	rows := (len(m.all) + mapColumns - 1) / mapColumns
	d.put(`<section aria-labelledby="h-map"><h2 id="h-map">Who delivered which part</h2>
<p class="soft">The file from its first byte to its last, line by line like text; a cell is %s. What is empty is missing. The table below has every server's parts by themselves.</p>
<svg viewBox="0 0 %d %d" role="img" aria-labelledby="map-title"><title id="map-title">Map of the file, coloured by the server that delivered each part</title>
<path class="hole" d="%s"/>
`, humanSize(float64(m.length)), mapColumns*mapCell, rows*mapRow, cellsPath([]run{{first: 0, count: len(m.all)}}))
	colours, names := d.owners()
	paths := map[markup][]run{}
	for _, r := range runs {
		paths[colours[r.server]] = append(paths[colours[r.server]], r)
	}
	for _, c := range names {
		if cells := paths[c.colour]; len(cells) > 0 {
			d.put(`<path class="%s" d="%s"><title>%s</title></path>`+"\n", c.colour, cellsPath(cells), c.name)
		}
	}
	d.put("</svg>\n")
	d.legend(true)
	d.put("</section>\n")
}

// owner is a colour of the map and whose it is.
type owner struct {
	colour markup
	name   string
}

// owners are the colours by the servers' numbers, and each colour once.
func (d *drawing) owners() (colours map[int]markup, names []owner) {
	colours = map[int]markup{0: colourDisk}
	for _, r := range d.rows {
		colours[r.Number] = r.colour
		if r.colour != colourOther {
			names = append(names, owner{r.colour, fmt.Sprintf("Server %d (%s)", r.Number, r.Address)})
		}
	}
	return colours, append(names, owner{colourOther, plural(d.others, "other server")}, owner{colourDisk, "Found on disk"})
}

// cellsPath is the outline of the cells of runs.
func cellsPath(runs []run) markup {
	var b strings.Builder
	for _, r := range runs {
		for first, left := r.first, r.count; left > 0; {
			column := first % mapColumns
			n := min(left, mapColumns-column)
			fmt.Fprintf(&b, "M%d %dh%dv%dh-%[3]dz", column*mapCell, first/mapColumns*mapRow, n*mapCell, mapCell)
			first, left = first+n, left-n
		}
	}
	return markup(b.String())
}

// lanes are the runs of each server.
func (d *drawing) lanes() map[int][]run {
	lanes := map[int][]run{}
	for _, r := range d.history.parts.runs() {
		lanes[r.server] = append(lanes[r.server], r)
	}
	return lanes
}

// lane draws the parts of one server on a line that is the whole file.
func (d *drawing) lane(label string, colour markup, runs []run) {
	width := max(len(d.history.parts.all), 1)
	var b strings.Builder
	for _, r := range runs {
		fmt.Fprintf(&b, "M%d 0h%dv%dh-%[2]dz", r.first, r.count, laneHeight)
	}
	d.put(`<svg viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="%s"><path class="hole" d="M0 0h%dv%dh-%[1]dz"/><path class="%[6]s" d="%[7]s"/></svg>`,
		width, laneHeight, label, width, laneHeight, colour, markup(b.String()))
}
