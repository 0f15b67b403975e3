package balance

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

// The table of the simulator, for docs/measurements.md:
//
//	go test ./balance -run TestTable -table table.md
//
// It takes about a minute; without the flag the large rows are left out and
// nothing is written.
var (
	tableFlag = flag.String("table", "", "write the simulator's table (Markdown) to this file")
	simFlag   = flag.String("sim", "", "simulate only the scenarios whose names begin so")
	traceFlag = flag.Bool("trace", false, "print every order of the simulated downloads")
)

// spread returns n links with rates from low to high Mbit/s, evenly on a
// logarithmic scale and in random order, and delays alike.
func spread(n int, low, high float64, near, far time.Duration, seed uint64) (ls []simLink) {
	rnd := rand.New(rand.NewPCG(seed, uint64(n)))
	for i := range n {
		x := float64(i) / float64(max(n-1, 1))
		d := math.Exp(math.Log(float64(near)) + rnd.Float64()*math.Log(float64(far)/float64(near)))
		ls = append(ls, simLink{rate: low * math.Pow(high/low, x), delay: time.Duration(d)})
	}
	rnd.Shuffle(n, func(i, j int) { ls[i].rate, ls[j].rate = ls[j].rate, ls[i].rate })
	return ls
}

// wide returns scenarios far from those of the rig. Those in which slow start
// or the size of a segment decides cannot be near to the fluid limit.
func wide(all bool) (list []scenario) {
	add := func(big bool, sc scenario) {
		if all || !big {
			list = append(list, sc)
		}
	}
	mixed := func(n int, seed uint64) []simLink { return spread(n, 0.1, 1000, 50*time.Microsecond, 250*ms, seed) }
	sec := func(s float64) time.Duration { return time.Duration(s * 1e9) }

	add(false, scenario{name: "one segment, 4 servers", most: 3.5, size: 10_000, links: spread(4, 1, 100, ms, 50*ms, 1)})
	add(false, scenario{name: "one segment, 2,000 servers", most: 6, size: 16 << 10, links: mixed(2000, 2)})
	add(false, scenario{name: "1 MiB, 8 servers", most: 2.8, size: mib(1), links: spread(8, 1, 100, ms, 50*ms, 3)})
	add(false, scenario{name: "2 MiB, unequal", most: 2.4, size: mib(2), links: rig()[1].links})
	add(false, scenario{name: "8 MiB, unequal, some far", most: 1.5, size: mib(8), links: rig()[1].links})
	add(false, scenario{name: "16 MiB, 12 servers", most: 1.45, size: mib(16), links: spread(12, 5, 60, 5*ms, 60*ms, 3)})
	add(false, scenario{name: "the same, slow start fills queues", most: 1.45, full: true, size: mib(16), links: spread(12, 5, 60, 5*ms, 60*ms, 3)})
	add(false, scenario{name: "2 servers 1:10,000", most: 1.05, size: mib(64), links: []simLink{{rate: 0.1, delay: 20 * ms}, {rate: 1000, delay: ms}}})
	add(false, scenario{name: "8 servers over four orders, 0.1 to 500 ms", most: 2.4, size: mib(256), links: mixed(8, 4)})
	add(false, scenario{name: "64 servers over four orders", most: 1.3, size: mib(1024), links: mixed(64, 5)})
	add(true, scenario{name: "500 servers over four orders", most: 1.6, size: mib(8192), chunk: 64 << 10, links: mixed(500, 6)})
	add(true, scenario{name: "2,000 servers over four orders", most: 1.7, size: mib(65536), chunk: 256 << 10, links: mixed(2000, 7)})
	add(true, scenario{name: "2,000 equal servers of 10 Mbit/s", most: 1.6, size: mib(16384), chunk: 64 << 10, links: equal(2000, simLink{rate: 10, delay: 20 * ms})})
	add(true, scenario{name: "10 TB, 12 servers of 1 to 10 Gbit/s", most: 1.01, size: 10e12, links: spread(12, 1000, 10000, 50*time.Microsecond, 50*ms, 8)})
	add(false, scenario{name: "satellite: 4 servers, 500 ms", most: 1.5, size: mib(64), links: equal(4, simLink{rate: 20, delay: 250 * ms})})
	add(false, scenario{name: "wide and long: 250 Mbit/s, 160 ms, streams of 2.8 MB", most: 1.2, size: mib(1024), buffers: 2.8e6, links: []simLink{{rate: 250, delay: 80 * ms}}})
	add(false, scenario{name: "local: 4 servers of 10 Gbit/s, 0.1 ms", most: 1.02, size: mib(4096), links: equal(4, simLink{rate: 10000, delay: 50 * time.Microsecond})})

	six := spread(6, 5, 80, 5*ms, 40*ms, 9)
	add(false, scenario{name: "6 servers, one dies each second", most: 1.08, size: mib(128), links: six, events: []simEvent{
		{at: sec(1), link: 0, do: "kill"}, {at: sec(2), link: 1, do: "kill"}, {at: sec(3), link: 2, do: "kill"},
		{at: sec(4), link: 3, do: "kill"}, {at: sec(5), link: 4, do: "kill"}}})
	add(false, scenario{name: "6 servers die and return in turn", most: 1.1, size: mib(128), links: six, events: []simEvent{
		{at: sec(1), link: 0, do: "kill"}, {at: sec(2), link: 0, do: "restart"}, {at: sec(2), link: 1, do: "kill"}, {at: sec(3), link: 1, do: "restart"},
		{at: sec(3), link: 2, do: "kill"}, {at: sec(4), link: 2, do: "restart"}, {at: sec(4), link: 3, do: "kill"}, {at: sec(5), link: 3, do: "restart"}}})
	add(false, scenario{name: "6 servers, two silent for 3 s", most: 1.07, size: mib(128), links: six, events: []simEvent{
		{at: sec(1), link: 4, do: "blackhole"}, {at: sec(1.5), link: 5, do: "blackhole"}, {at: sec(4), link: 4, do: "back"}, {at: sec(4.5), link: 5, do: "back"}}})
	swing := scenario{name: "6 servers, rates change twice a second", most: 1.05, size: mib(192), links: equal(6, simLink{rate: 40, delay: 15 * ms})}
	rnd := rand.New(rand.NewPCG(1, 10))
	for i := range 60 {
		swing.events = append(swing.events, simEvent{at: sec(float64(i) / 2), link: rnd.IntN(6), do: "rate", rate: 4 * math.Pow(20, rnd.Float64())})
	}
	add(false, swing)
	add(false, scenario{name: "s2 on a busy machine, pauses of 20 ms", most: 1.05, size: mib(96), links: rig()[1].links, pauses: 20 * ms})
	add(false, scenario{name: "8 servers of 100 behind 50 Mbit/s", most: 1.03, size: mib(64), access: 50, links: equal(8, simLink{rate: 100, delay: 10 * ms})})
	// A segment of 512 KiB takes each of them most of a second, and many are let go halfway (docs/measurements.md).
	add(true, scenario{name: "200 servers of 100 behind 1 Gbit/s", most: 1.2, parts: mib(30), size: mib(2048), access: 1000, links: equal(200, simLink{rate: 100, delay: 10 * ms})})
	add(false, scenario{name: "mixed links behind 50 Mbit/s", most: 1.03, size: mib(64), access: 50, links: spread(8, 1, 100, ms, 100*ms, 11)})
	add(false, scenario{name: "lossy and long, 8 streams each, fixed", most: 5, fixed: 8, streams: 8, size: mib(64), lanes: 8,
		links: equal(4, simLink{rate: 50, delay: 40 * ms, loss: 0.005})})
	add(false, scenario{name: "four equal, one stream, fixed", most: 1.03, fixed: 1, streams: 1, size: mib(64), lanes: 1,
		links: equal(4, simLink{rate: 50, delay: 10 * ms})})
	for i := range list {
		if list[i].streams == 0 {
			list[i].streams = 16
		}
		list[i].limit = 100 * time.Hour
	}
	return list
}

func TestTable(t *testing.T) {
	var table strings.Builder
	fmt.Fprintf(&table, "| scenario | fluid limit, s | taken, s | × fluid | × busy lanes | wasted | orders | streams |\n|---|---|---|---|---|---|---|---|\n")
	for _, sc := range append(rig(), wide(*tableFlag != "")...) {
		if !strings.HasPrefix(sc.name, *simFlag) {
			continue
		}
		start := time.Now()
		s := newSimulation(sc)
		if *traceFlag {
			s.trace = func(format string, a ...any) { fmt.Fprintf(os.Stderr, format+"\n", a...) }
		}
		o := s.run()
		if o.err != nil {
			t.Errorf("%s: %v", sc.name, o.err)
			continue
		}
		busy := math.NaN()
		if *tableFlag != "" || testing.Verbose() {
			busy = busyLimit(sc)
		}
		streams := 0
		for _, n := range o.streams {
			streams = max(streams, n)
		}
		if o.ratio() > sc.most {
			t.Errorf("%s took %.3f times the fluid limit, at most %.3f is right", sc.name, o.ratio(), sc.most)
		}
		most := max(sc.size/50, s.sc.seg*int64(len(sc.links)))
		if s.b.wasted > most {
			t.Errorf("%s: %d bytes came twice, at most %d may", sc.name, s.b.wasted, most)
		}
		if o.wasted > most+sc.parts {
			t.Errorf("%s: %d bytes came in vain, at most %d may", sc.name, o.wasted, most+sc.parts)
		}
		if sc.lanes > 0 && streams > sc.lanes {
			t.Errorf("%s: %d lanes to a server, %d are enough", sc.name, streams, sc.lanes)
		}
		row := fmt.Sprintf("| %s | %.2f | %.2f | %.3f | %.3f | %.2f %% | %d | %d |\n", sc.name, o.fluid, o.seconds, o.ratio(), o.seconds/busy,
			100*float64(o.wasted)/float64(sc.size), o.orders, streams)
		table.WriteString(row)
		t.Logf("%5.2fs %9d %s", time.Since(start).Seconds(), o.events, strings.TrimSpace(row))
	}
	if *tableFlag != "" {
		if err := os.WriteFile(*tableFlag, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
