package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
)

// limits downloads a file over every transport from servers of unequal limits: one that takes
// two seconds at the fluid limit, one that takes half a second, and one that takes no time but for the slow
// servers.
func (b *bench) limits() error {
	fmt.Println("| limits, MB/s | MB | transport | seconds | × fluid limit |\n|---|---|---|---|---|")
	for _, download := range []struct {
		size   int64
		limits []int
	}{
		{30e6, []int{1, 2, 4, 8}},
		{8e6, []int{1, 5, 10}},
		{8e6, []int{1, 10, 1000}},
	} {
		if err := b.limitRows(download.size, download.limits); err != nil {
			return err
		}
	}
	return nil
}

// limitRows downloads so many bytes from servers with limits in MB/s.
func (b *bench) limitRows(size int64, limits []int) error {
	file, err := b.randomFile("file.bin", size)
	if err != nil {
		return err
	}
	defer os.Remove(file)
	sum := 0
	var each []string
	for _, limit := range limits {
		sum += limit
		each = append(each, fmt.Sprintf("%dMB", limit))
	}
	rows, stop, err := b.transportRows(file, len(limits), "--limit", strings.Join(each, ","))
	defer stop()
	if err != nil {
		return err
	}
	if err := b.interleave(rows); err != nil {
		return err
	}
	fluid := float64(size) / 1e6 / float64(sum)
	for _, r := range rows {
		wall := median(r.got, wallOf)
		fmt.Printf("| %s | %d | %s | %.3f | %.3f |\n", strings.Trim(fmt.Sprint(limits), "[]"), size/1e6, r.name, wall, wall/fluid)
	}
	return nil
}

// memory finds the peak memory of a client for files of three sizes, and of a
// server with eight clients at once; in one run of each.
func (b *bench) memory() error {
	fmt.Println("| file | client peak MiB | server peak MiB (one client) | server peak MiB (eight clients at once) |\n|---|---|---|---|")
	for _, size := range []int64{64 << 20, 1024 << 20, 4096 << 20} {
		file, err := b.randomFile("file.bin", size)
		if err != nil {
			return err
		}
		one, alone, err := b.clientsOf(file, size, 4, 1)
		if err != nil {
			return err
		}
		var many sample
		if size <= 1024<<20 { // eight copies of more would not fit
			if _, many, err = b.clientsOf(file, size, 4, 8); err != nil {
				return err
			}
		}
		fmt.Printf("| %d MiB | %s | %s | %s |\n", size>>20, peakMiB(one...), peakMiB(alone), peakMiB(many))
		os.Remove(file)
	}
	return nil
}

// clientsOf runs n clients at once, which fetch size bytes each, against servers in one process. It returns
// the clients' figures and the server's.
func (b *bench) clientsOf(file string, size int64, servers, n int) ([]sample, sample, error) {
	server, ports, err := b.serve(file, servers)
	if err != nil {
		return nil, sample{}, err
	}
	if err := b.useMemory(size * int64(n)); err != nil {
		return nil, server.stop(), err
	}
	samples, err := atOnce(n, func(i int) (sample, error) { return b.fetchTo(fmt.Sprintf("out%d", i), ports) })
	return samples, server.stop(), err
}

// atOnce does something n times at the same time.
func atOnce(n int, do func(i int) (sample, error)) ([]sample, error) {
	samples, errs := make([]sample, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { samples[i], errs[i] = do(i) })
	}
	wg.Wait()
	return samples, errors.Join(errs...)
}

// scale varies servers, clients and sizes one at a time: the cost of a byte should stay flat. What the
// program itself takes tells whether it is, and as many copies of the file at once as there are clients
// what the memory costs, once it was used. A row is one run; with many clients it has the medians of them.
func (b *bench) scale() error {
	file, err := b.randomFile("file.bin", b.size)
	if err != nil {
		return err
	}
	fmt.Println("| servers | clients | size MiB | seconds | s/GiB | client CPU s/GiB | of it in the program | server CPU s/GiB | client peak MiB | server peak MiB | cat, CPU s/GiB |\n|---|---|---|---|---|---|---|---|---|---|---|")
	for _, n := range []int{1, 2, 4, 16, 64} {
		if err := b.scaleRow(file, n, 1, b.size); err != nil {
			return err
		}
	}
	os.Remove(file)
	if file, err = b.randomFile("file.bin", 32<<20); err != nil {
		return err
	}
	for _, n := range []int{1, 8, 50, 200} {
		if err := b.scaleRow(file, 4, n, 32<<20); err != nil {
			return err
		}
	}
	for _, mib := range []int64{1, 16, 256, 1024, 4096, 16384} {
		os.Remove(file)
		create := b.randomFile
		if mib > 4096 { // two copies of it would not fit into the memory
			create = b.holes
		}
		if file, err = create("file.bin", mib<<20); err != nil {
			return err
		}
		if err := b.scaleRow(file, 4, 1, mib<<20); err != nil {
			return err
		}
	}
	return nil
}

// scaleRow measures so many clients at once, and then as many cat: cp would copy no hole.
func (b *bench) scaleRow(file string, servers, clients int, size int64) error {
	samples, server, err := b.clientsOf(file, size, servers, clients)
	if err != nil {
		return err
	}
	if err := b.useMemory(size * int64(clients)); err != nil {
		return err
	}
	copies, err := atOnce(clients, func(i int) (sample, error) {
		path := b.path(fmt.Sprintf("copy%d", i))
		return b.writing(path, "sh", "-c", `cat "$0" >"$1"`, file, path)
	})
	if err != nil {
		return err
	}
	last := 0.0
	for _, s := range samples {
		last = max(last, s.wall.Seconds())
	}
	gib := float64(size) / (1 << 30)
	all := gib * float64(clients)
	// The server's share has hashed the file once before.
	fmt.Printf("| %d | %d | %d | %.2f | %.2f | %.2f | %.2f | %.2f | %s | %s | %s |\n", servers, clients, size>>20, last, last/all,
		median(samples, cpuOf)/gib, median(samples, userOf)/gib, cpuOf(server)/all, peakMiB(samples...), peakMiB(server), figure(median(copies, cpuOf)/gib, 2))
	return nil
}

// transports moves the file over every transport that the binary knows, and as many bytes over
// plain pipes of what tls and quic are made of.
func (b *bench) transports() error {
	file, err := b.randomFile("file.bin", b.size)
	if err != nil {
		return err
	}
	rows, stop, err := b.transportRows(file, 4)
	defer stop()
	if err != nil {
		return err
	}
	pipes := map[string][]*row{}
	for _, kind := range []string{"tls", "quic"} {
		for _, connections := range []int{1, 4} {
			r, p, err := b.plainRow(kind, connections)
			if err != nil {
				return err
			}
			defer p.stop()
			pipes[kind] = append(pipes[kind], r)
			rows = append(rows, r)
		}
	}
	if err := b.interleave(rows); err != nil {
		return err
	}
	printRows(rows, b.size)
	fmt.Println()
	for _, r := range rows {
		for _, pipe := range pipes[r.name] {
			fmt.Printf("%s carries %.2f of what this does: %s.\n", r.name, median(pipe.got, wallOf)/median(r.got, wallOf), pipe.name)
		}
	}
	return nil
}

// transportRows serves a file from n servers over every transport that the binary knows, with a row
// for each. The caller calls stop, after an error as well.
func (b *bench) transportRows(file string, n int, more ...string) (rows []*row, stop func(), err error) {
	var servers []*process
	stop = func() {
		for _, s := range servers {
			s.stop()
		}
	}
	for _, name := range strings.Fields("tcp tls quic tcp+zstd tls+zstd quic+zstd") {
		over := []string{"--transport", name}
		server, ports, err := b.serve(file, n, append(over, more...)...)
		if err != nil {
			return nil, stop, err
		}
		servers = append(servers, server)
		rows = append(rows, &row{name: name, run: func() (sample, error) { return b.fetch(ports, over...) }})
	}
	return rows, stop, nil
}
