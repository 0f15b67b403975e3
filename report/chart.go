package report

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// The chart of the speeds, in units of its SVG.
const (
	chartWidth, chartHeight = 1000, 320
	plotLeft, plotRight     = 78, 990
	plotTop, plotBottom     = 14, 284
	mostMarks               = 40 // as long as the plot is high; more are short
	shortMark               = 8
	cardWidth, cardHeight   = 240, 60
)

// series is the speeds of one server, or of several together, step by step.
type series struct {
	colour markup
	name   string
	speeds []float64
}

// stack is the series of the chart: the servers with a colour, then the others.
func (d *drawing) stack() []series {
	s := &d.history.speeds
	var all []series
	others := series{colour: colourOther, name: plural(d.others, "other server"), speeds: make([]float64, s.steps())}
	for _, r := range d.rows {
		if r.index >= len(s.bytes) {
			break
		}
		one := series{colour: r.colour, name: fmt.Sprintf("Server %d", r.Number)}
		for i := range s.steps() {
			one.speeds = append(one.speeds, s.of(r.index, i))
		}
		if r.colour != colourOther {
			all = append(all, one)
			continue
		}
		for i, v := range one.speeds {
			others.speeds[i] += v
		}
	}
	if d.others > 0 {
		all = append(all, others)
	}
	return all
}

// chart draws the servers' speeds on top of each other, so that the upper edge
// is the speed of the download.
func (d *drawing) chart() {
	stack := d.stack()
	total := make([]float64, d.history.speeds.steps())
	peak := 0.0
	for _, s := range stack {
		for i, v := range s.speeds {
			total[i] += v
			peak = max(peak, total[i])
		}
	}
	if peak == 0 {
		return
	}
	d.put(`<section aria-labelledby="h-speed"><h2 id="h-speed">Speed over time</h2>
<p class="soft">The servers' speeds on top of each other: the upper edge is the whole download. Peak %s.</p>
<div class="scroll"><svg class="chart" viewBox="0 0 %d %d" role="img" aria-labelledby="speed-title">
<title id="speed-title">Speed over %s, on average %s, at most %s; the table below has the figures of each server</title>
`, perSecond(peak), chartWidth, chartHeight, span(d.history.speeds.at), perSecond(d.summary.Progress.Speed), perSecond(peak))
	top := d.axes(peak)
	base := make([]float64, len(total))
	for _, s := range stack {
		upper := make([]float64, len(base))
		for i := range base {
			upper[i] = base[i] + s.speeds[i]
		}
		d.put(`<path class="band %s" d="%s"><title>%s</title></path>`+"\n", s.colour, d.area(base, upper, top), s.name)
		base = upper
	}
	d.put(`<path class="edge" d="%s"></path>`+"\n", d.line(total, top))
	d.marks()
	d.put("</svg></div>\n")
	d.legend(false)
	d.put("</section>\n")
}

// axes draws the grid with its labels, and returns the speed at the top of the plot.
func (d *drawing) axes(peak float64) (top float64) {
	step := niceNumber(peak / 5)
	top = step * math.Ceil(peak/step*0.999)
	for v := 0.0; v <= top*1.001; v += step {
		y := scale(v, top, plotBottom, plotTop)
		d.put(`<path class="grid" d="M%d %sH%d"/><text x="%d" y="%s" text-anchor="end">%s</text>`+"\n",
			plotLeft, y, plotRight, plotLeft-8, coordinate(scaled(v, top, plotBottom, plotTop)+4.5), perSecond(v))
	}
	end := d.history.speeds.at
	tick := niceTime(end / 8)
	for t := time.Duration(0); t <= end; t += tick {
		x := d.x(t)
		d.put(`<path class="axis" d="M%s %dv5"/><text x="%s" y="%d" text-anchor="middle">%s</text>`+"\n",
			coordinate(x), plotBottom, coordinate(x), plotBottom+21, tickLabel(t, tick))
	}
	return top
}

// marks shows when something happened.
func (d *drawing) marks() {
	kept, _, _ := d.history.events.all()
	height := plotBottom - plotTop
	if len(kept) > mostMarks {
		height = shortMark
	}
	last := ""
	for _, m := range kept {
		if x := coordinate(d.x(m.at)); m.at <= d.history.speeds.at && x != last {
			last = x
			d.put(`<path class="mark" d="M%s %dv%d"><title>%s: %s</title></path>`+"\n", x, plotBottom-height, height, span(m.at), m.text)
		}
	}
}

func (d *drawing) x(t time.Duration) float64 {
	return scaled(float64(t), float64(max(d.history.speeds.at, 1)), plotLeft, plotRight)
}

// points are the values at the middle of their steps, and at both ends of the run.
func (d *drawing) points(values []float64, top float64) []string {
	if len(values) == 0 {
		return nil
	}
	at := func(t time.Duration, v float64) string {
		return coordinate(d.x(t)) + " " + scale(v, top, plotBottom, plotTop)
	}
	points := []string{at(0, values[0])}
	for i, v := range values {
		begin, end := d.history.speeds.span(i)
		points = append(points, at((begin+end)/2, v))
	}
	return append(points, at(d.history.speeds.at, values[len(values)-1]))
}

func (d *drawing) line(values []float64, top float64) markup {
	return markup("M" + strings.Join(d.points(values, top), "L"))
}

// area is the outline of what is between two lines.
func (d *drawing) area(lower, upper []float64, top float64) markup {
	back := d.points(lower, top)
	for i, j := 0, len(back)-1; i < j; i, j = i+1, j-1 {
		back[i], back[j] = back[j], back[i]
	}
	return markup("M" + strings.Join(append(d.points(upper, top), back...), "L") + "Z")
}

// legend says which colour is whose; the disk is one of them in the map.
func (d *drawing) legend(disk bool) {
	d.put(`<ul class="legend">` + "\n")
	for _, r := range d.rows {
		if r.colour != colourOther {
			d.put(`<li><span class="swatch %s"></span>Server %d <span class="soft">%s</span></li>`+"\n", r.colour, r.Number, r.Address)
		}
	}
	if d.others > 0 {
		d.put(`<li><span class="swatch c0"></span>%s</li>`+"\n", plural(d.others, "other server"))
	}
	if disk && d.summary.Resumed > 0 {
		d.put(`<li><span class="swatch cd"></span>Found on disk</li>` + "\n")
	}
	d.put("</ul>\n")
}

// cards draws every server's speed for itself, all on one scale.
func (d *drawing) cards() {
	s := &d.history.speeds
	shown := d.top(mostCards)
	peak := 0.0
	for _, i := range shown {
		peak = max(peak, d.rows[i].peak)
	}
	if peak == 0 {
		return
	}
	d.put(`<section aria-labelledby="h-each"><h2 id="h-each">Each server</h2>
<p class="soft">All on one scale, which ends at %s.`, perSecond(peak))
	if n := len(d.rows) - len(shown); n > 0 {
		d.put(" %s that delivered less not shown.", plural(n, "server"))
	}
	d.put("</p>\n" + `<div class="cards">` + "\n")
	for _, i := range shown {
		r := d.rows[i]
		d.put(`<figure><figcaption><span><span class="swatch %s"></span>Server %d</span><span class="soft">%s</span></figcaption>
<svg viewBox="0 0 %d %d" role="img" aria-label="Speed of server %d over time: on average %s, at most %s" preserveAspectRatio="none">`,
			r.colour, r.Number, perSecond(r.Speed), cardWidth, cardHeight, r.Number, perSecond(r.Speed), perSecond(r.peak))
		path := []string{fmt.Sprintf("0 %d", cardHeight)}
		for step := range s.steps() {
			begin, end := s.span(step)
			x := scaled(float64(begin+end)/2, float64(s.at), 0, cardWidth)
			path = append(path, coordinate(x)+" "+scale(s.of(i, step), peak, cardHeight, 1))
		}
		path = append(path, fmt.Sprintf("%d %d", cardWidth, cardHeight))
		d.put(`<path class="%s" d="%s"/><path class="axis" d="M0 %dH%d"/></svg></figure>`+"\n",
			r.colour, markup("M"+strings.Join(path, "L")+"Z"), cardHeight, cardWidth)
	}
	d.put("</div></section>\n")
}

// scaled maps v of 0 to top linearly to from to to.
func scaled(v, top float64, from, to float64) float64 {
	return from + (to-from)*min(max(v/top, 0), 1)
}

func scale(v, top float64, from, to float64) string { return coordinate(scaled(v, top, from, to)) }

// coordinate is a number for SVG, to a tenth.
func coordinate(x float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", x), ".0") }

// niceNumber is the least of 1, 2, 5, 10, … that is not below x.
func niceNumber(x float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(x)))
	for _, f := range []float64{1, 2, 5} {
		if f*unit >= x*0.999 {
			return f * unit
		}
	}
	return 10 * unit
}

// niceTime is the least time of those that clocks have ticks for, not below d.
func niceTime(d time.Duration) time.Duration {
	const day = 24 * time.Hour
	for _, unit := range []time.Duration{
		100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second,
		10 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute,
		30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, day,
	} {
		if unit >= d {
			return unit
		}
	}
	return day * time.Duration(math.Ceil(d.Hours()/24))
}

func tickLabel(t, tick time.Duration) string {
	switch {
	case tick < time.Second:
		return fmt.Sprintf("%.1f s", t.Seconds())
	case tick < time.Minute && t < time.Minute:
		return fmt.Sprintf("%d s", int(t.Seconds()))
	}
	return clock(t)
}
