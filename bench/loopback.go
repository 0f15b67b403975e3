package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// loopback moves one file from four servers, and compares with a plain client that hashes as
// well, cp (no network), curl (one nginx), aria2c and axel (four
// nginx, an address each, as aria2c counts connections by address).
func (b *bench) loopback() error {
	if err := os.Mkdir(b.path("root"), 0o777); err != nil {
		return err
	}
	file, err := b.randomFile("root/file.bin", b.size)
	if err != nil {
		return err
	}
	server, ports, err := b.serve(file, 4)
	if err != nil {
		return err
	}
	defer server.stop()
	simple, giving, err := b.simpleRow(file, 4)
	if err != nil {
		return err
	}
	defer giving.stop()
	rows := []*row{
		{name: "braid, four servers", run: func() (sample, error) { return b.fetch(ports) }},
		simple,
		{name: "cp", run: func() (sample, error) { return b.writing(b.path("copy"), "cp", file, b.path("copy")) }},
	}
	urls, stop, err := b.nginx()
	if err != nil {
		return err
	}
	defer stop()
	rows = append(rows, b.peers(urls)...)
	if err := b.interleave(rows); err != nil {
		return err
	}
	printRows(rows, b.size)
	if b.svg != "" {
		return os.WriteFile(b.svg, picture(rows, b.size), 0o666)
	}
	return nil
}

// writing runs a command that writes a file, and removes that.
func (b *bench) writing(path, name string, args ...string) (sample, error) {
	defer os.Remove(path)
	return b.timed(name, args...)
}

// nginx starts four single-process nginx, one address each. Without nginx
// there are no URLs.
func (b *bench) nginx() (urls []string, stop func(), err error) {
	var running []*process
	stop = func() {
		for _, p := range running {
			p.stop()
		}
	}
	binary, err := exec.LookPath("nginx")
	if err != nil {
		fmt.Println("(nginx is not installed: no peers)")
		return nil, stop, nil
	}
	ports, _, err := freePorts(4)
	if err != nil {
		return nil, stop, err
	}
	for i, port := range ports {
		addr := fmt.Sprintf("127.0.0.%d:%s", i+1, port)
		dir := b.path("nginx" + port)
		if err := os.Mkdir(dir, 0o777); err != nil {
			return nil, stop, err
		}
		conf := filepath.Join(dir, "nginx.conf")
		if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, dir, addr, b.path("root")), 0o666); err != nil {
			return nil, stop, err
		}
		p, err := b.start([]string{addr}, binary, "-e", "stderr", "-p", dir, "-c", conf)
		if err != nil {
			return nil, stop, err
		}
		running = append(running, p)
		urls = append(urls, "http://"+addr+"/file.bin")
	}
	return urls, stop, nil
}

const nginxConf = `master_process off; daemon off; pid %[1]s/pid; error_log stderr error;
events { worker_connections 1024; }
http { access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; default_type application/octet-stream;
  client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  server { listen %[2]s; root %[3]s; } }
`

// peers are the rows of what is installed.
func (b *bench) peers(urls []string) []*row {
	if len(urls) == 0 {
		return nil
	}
	all := []struct {
		label string
		argv  []string
	}{
		{"curl, one nginx", []string{"curl", "-sSf", "-o", b.path("copy"), urls[0]}},
		{"aria2c -s4 -k1M, four nginx", append([]string{"aria2c", "--no-conf", "-q", "--allow-overwrite=true", "-s4", "-x1", "-k1M",
			"--file-allocation=none", "--disk-cache=64M", "-d", b.dir, "-o", "copy"}, urls...)},
		{"axel -n4, four nginx", append([]string{"axel", "-q", "-N", "-n4", "-o", b.path("copy")}, urls...)},
	}
	var rows []*row
	for _, p := range all {
		if _, err := exec.LookPath(p.argv[0]); err != nil {
			fmt.Printf("(%s is not installed)\n", p.argv[0])
			continue
		}
		rows = append(rows, &row{name: p.label, run: func() (sample, error) { return b.writing(b.path("copy"), p.argv[0], p.argv[1:]...) }})
	}
	return rows
}

// printRows prints medians, and how many times as fast the first row is as each.
func printRows(rows []*row, size int64) {
	first := median(rows[0].got, wallOf)
	fmt.Printf("| what (%d MiB, median of %d, interleaved) | MB/s | first row is × as fast | client CPU s/GiB | client peak MiB |\n|---|---|---|---|---|\n", size>>20, len(rows[0].got))
	for _, r := range rows {
		wall := median(r.got, wallOf)
		fmt.Printf("| %s | %.0f | %.2f | %.2f | %s |\n", r.name, float64(size)/wall/1e6, wall/first,
			median(r.got, cpuOf)*float64(1<<30)/float64(size), peakMiB(r.got...))
	}
}
