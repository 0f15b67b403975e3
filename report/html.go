package report

import (
	"cmp"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
)

// Summary is how a download came out.
type Summary struct {
	Begun    time.Time // by the clock on the wall
	Name     string    // of the file; empty while no server had told it
	Path     string    // where it is, or what there is of it
	BLAKE3   string    // 64 hex digits; empty while unknown
	Failure  string    // why the run has ended without the file; empty: it is there and verified
	Progress Progress  // at the end, speeds being the averages of the run
	Resumed  int64     // bytes that a resume found on disk
	Wasted   int64     // bytes that arrived twice or did not verify
}

// Bounds of the page, for downloads from very many servers: those that delivered most are shown.
const (
	mostColours = 12 // servers with a colour of their own
	mostCards   = 24 // servers with a chart of their own
	mostRows    = 500
)

//go:embed page.css
var pageStyle string

// HTML writes one page that tells what h and s know of a download: speeds over
// time, who delivered which part of the file, totals, events. It loads
// nothing from anywhere, runs no script, and is light or dark as the reader's
// system is. The error is that of w.
func HTML(w io.Writer, h *History, s Summary) error {
	if h == nil {
		h = &History{}
	}
	d := &drawing{page: newPage(w), history: h, summary: s}
	d.rank()
	d.put(head, s.title(), markup(pageStyle))
	d.header()
	d.chart()
	d.cards()
	d.fileMap()
	d.totals()
	d.eventList()
	d.put(foot)
	return d.w.Flush()
}

const head markup = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>%s</title>
<style>
%s</style>
</head>
<body>
<main>
`

const foot markup = `<footer class="soft">Written by braid. Units: 1 kB = 1000 bytes.</footer>
</main>
</body>
</html>
`

// drawing is a page being written.
type drawing struct {
	*page
	history *History
	summary Summary
	rows    []row // in the order of the servers' numbers
	busiest []int // indices of rows, those that delivered most first
	others  int   // servers without a colour of their own
}

// row is one server.
type row struct {
	Server
	index  int // from 0
	colour markup
	peak   float64 // bytes/s
}

const (
	colourOther markup = "c0"
	colourDisk  markup = "cd"
)

// rank gives the servers that delivered most a colour of their own.
func (d *drawing) rank() {
	for i, s := range d.summary.Progress.Servers {
		r := row{Server: s, index: i, colour: colourOther}
		if i < len(d.history.speeds.bytes) {
			for step := range d.history.speeds.steps() {
				r.peak = max(r.peak, d.history.speeds.of(i, step))
			}
		}
		d.rows = append(d.rows, r)
		d.busiest = append(d.busiest, i)
	}
	slices.SortStableFunc(d.busiest, func(a, b int) int { return cmp.Compare(d.rows[b].Bytes, d.rows[a].Bytes) })
	for n, i := range d.top(mostColours) {
		d.rows[i].colour = markup(fmt.Sprintf("c%d", n+1))
	}
	d.others = max(0, len(d.rows)-mostColours)
}

// top is the indices of the n servers that delivered most, in their order.
func (d *drawing) top(n int) []int {
	top := slices.Clone(d.busiest[:min(n, len(d.busiest))])
	slices.Sort(top)
	return top
}

func (s Summary) title() string {
	name := s.Name
	if name == "" {
		name = "No file"
	}
	return name + " – download report"
}

func (d *drawing) header() {
	s, p := d.summary, d.summary.Progress
	d.put("<header>\n")
	if s.Failure == "" {
		d.put(`<span class="state good">✓ Complete, every byte verified</span>` + "\n")
	} else {
		d.put(`<span class="state bad">✗ Not complete</span>` + "\n")
	}
	name := s.Name
	if name == "" {
		name = "No file: no server has told one"
	}
	d.put("<h1>%s</h1>\n", name)
	d.put(`<p class="soft">Downloaded from %s, begun %s</p>`+"\n", plural(len(p.Servers), "server"), s.Begun.Format("2 January 2006, 15:04:05 MST"))
	if s.Failure != "" {
		d.put(`<p class="bad">%s</p>`+"\n", s.Failure)
	}
	if s.Path != "" {
		d.put(`<p class="mono">%s</p>`+"\n", s.Path)
	}
	if s.BLAKE3 != "" {
		d.put(`<p class="mono"><span class="soft">BLAKE3</span> %s</p>`+"\n", s.BLAKE3)
	}
	d.put("</header>\n" + `<dl class="figures">` + "\n")
	figure := func(name, value, title string) {
		d.put(`<div><dt>%s</dt><dd title="%s">%s</dd></div>`+"\n", name, title, value)
	}
	figure("Size", humanSize(finite(float64(p.Size))), exact(p.Size))
	if s.Failure != "" {
		figure("Verified", humanSize(finite(float64(p.Bytes))), exact(p.Bytes))
	}
	figure("Time", span(p.Elapsed), fmt.Sprintf("%.3f seconds", p.Elapsed.Seconds()))
	figure("Average speed", perSecond(p.Speed), exact(int64(finite(p.Speed)))+" a second")
	figure("Found on disk", humanSize(finite(float64(s.Resumed))), exact(s.Resumed))
	figure("Arrived in vain", humanSize(finite(float64(s.Wasted))), exact(s.Wasted)+" that came twice or did not verify")
	d.put("</dl>\n")
}

func (d *drawing) totals() {
	d.put(`<section aria-labelledby="h-totals"><h2 id="h-totals">Totals</h2>
<div class="scroll"><table>
<thead><tr><th scope="col">Server</th><th scope="col">Address</th><th scope="col">Its parts of the file</th><th scope="col" class="num">Bytes</th><th scope="col" class="num">Share</th><th scope="col" class="num">Average</th><th scope="col" class="num">Peak</th><th scope="col">State at the end</th></tr></thead>
<tbody>
`)
	p := d.summary.Progress
	lanes := d.lanes()
	rest := Server{}
	shown := d.top(mostRows)
	for _, r := range d.rows {
		rest.Bytes, rest.Speed = rest.Bytes+r.Bytes, rest.Speed+finite(r.Speed)
	}
	for _, i := range shown {
		r := d.rows[i]
		rest.Bytes, rest.Speed = rest.Bytes-r.Bytes, rest.Speed-finite(r.Speed)
		d.put(`<tr><th scope="row"><span class="swatch %s"></span>%d</th><td class="address">%s</td>`, r.colour, r.Number, r.Address)
		d.put(`<td class="lane">`)
		d.lane(fmt.Sprintf("The parts that server %d delivered", r.Number), r.colour, lanes[r.Number])
		d.put(`</td><td class="num" title="%s">%s</td><td class="num">%s</td><td class="num">%s</td><td class="num">%s</td><td>%s</td></tr>`+"\n",
			exact(r.Bytes), humanSize(finite(float64(r.Bytes))), percent(r.Bytes, p.Size), perSecond(r.Speed), perSecond(r.peak), r.State)
	}
	if n := len(d.rows) - len(shown); n > 0 {
		d.put(`<tr><th scope="row" colspan="3">%s more</th><td class="num">%s</td><td class="num">%s</td><td class="num">%s</td><td></td><td></td></tr>`+"\n",
			plural(n, "server"), humanSize(finite(float64(rest.Bytes))), percent(rest.Bytes, p.Size), perSecond(rest.Speed))
	}
	if s := d.summary; s.Resumed > 0 {
		d.put(`<tr><th scope="row" colspan="2"><span class="swatch cd"></span>Found on disk</th><td class="lane">`)
		d.lane("The parts that were there already", colourDisk, lanes[0])
		d.put(`</td><td class="num" title="%s">%s</td><td class="num">%s</td><td></td><td></td><td></td></tr>`+"\n",
			exact(s.Resumed), humanSize(float64(s.Resumed)), percent(s.Resumed, p.Size))
	}
	d.put(`</tbody>
<tfoot><tr><th scope="row" colspan="3">Total</th><td class="num" title="%s">%s</td><td class="num">%s</td><td class="num">%s</td><td></td><td></td></tr></tfoot>
</table></div></section>
`, exact(p.Bytes), humanSize(finite(float64(p.Bytes))), percent(p.Bytes, p.Size), perSecond(p.Speed))
}

func (d *drawing) eventList() {
	kept, gap, left := d.history.events.all()
	if len(kept) == 0 {
		return
	}
	d.put(`<section aria-labelledby="h-events"><h2 id="h-events">Events</h2>` + "\n" + `<ol class="events">` + "\n")
	for i, m := range kept {
		if left > 0 && i == gap {
			d.put(`<li><time></time><span class="soft">… %s left out …</span></li>`+"\n", plural(left, "event"))
		}
		d.put("<li><time>%s</time><span>%s</span></li>\n", span(m.at), m.text)
	}
	d.put("</ol></section>\n")
}

func exact(n int64) string { return humanize.Comma(n) + " bytes" }

func perSecond(speed float64) string { return humanSize(finite(speed)) + "/s" }

// percent is a part of size with one decimal, 100.0% only when nothing is missing.
func percent(n, size int64) string {
	if size <= 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f%%", float64(int(share(max(n, 0), size)*1000))/10)
}

// span is a length of time that has passed, exact where that says something. Nothing is
// rounded up: a minute is over when it is.
func span(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1f s", d.Truncate(time.Second/10).Seconds())
	}
	return clock(d.Truncate(time.Second))
}

func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
