package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sample is one run of a command as a whole process.
type sample struct {
	wall time.Duration
	user time.Duration // CPU time in the program itself
	sys  time.Duration // CPU time in the system, for it
	rss  int64         // bytes, the peak; 0: unknown
}

// timed runs a command and measures it.
func (b *bench) timed(name string, args ...string) (sample, error) {
	cmd := exec.CommandContext(b.ctx, name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return sample{}, err
	}
	peak := watchPeak(cmd.Process.Pid)
	err := cmd.Wait()
	wall, rss := time.Since(begun), peak()
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w: %s", name, err, lastLine(stderr.String()))
	}
	return used(cmd, wall, rss), nil
}

// used is what a command that has ended has used.
func used(cmd *exec.Cmd, wall time.Duration, rss int64) sample {
	return sample{wall: wall, user: cmd.ProcessState.UserTime(), sys: cmd.ProcessState.SystemTime(), rss: rss}
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// process is a server that runs beside the measurement.
type process struct{ cmd *exec.Cmd }

// start starts a server and waits until its ports accept.
func (b *bench) start(ports []string, name string, args ...string) (*process, error) {
	cmd := exec.CommandContext(b.ctx, name, args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd}
	for _, addr := range ports {
		if err := b.await(addr); err != nil {
			p.stop()
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return p, nil
}

func (b *bench) await(addr string) error {
	deadline := time.Now().Add(time.Minute)
	for {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			return c.Close()
		}
		if time.Now().After(deadline) || b.ctx.Err() != nil {
			return errors.Join(err, b.ctx.Err())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// stop kills the server and returns what it has used.
func (p *process) stop() sample {
	peak := highWater(p.cmd.Process.Pid)
	p.cmd.Process.Kill()
	p.cmd.Wait()
	return used(p.cmd, 0, peak)
}

// serve starts braid servers for file, all in one process.
func (b *bench) serve(file string, n int, more ...string) (*process, string, error) {
	ports, addrs, err := freePorts(n)
	if err != nil {
		return nil, "", err
	}
	list := strings.Join(ports, ",")
	args := append([]string{"server", "-i", "3600", "-n", fmt.Sprint(n), "-f", file, "-p", list, "--bind", "127.0.0.1", "--report", "none"}, more...)
	if slices.ContainsFunc(more, func(s string) bool { return strings.HasPrefix(s, "quic") }) {
		addrs = nil // nothing to connect to by TCP; the client seeks it
	}
	p, err := b.start(addrs, b.braid, args...)
	return p, list, err
}

// fetch downloads with the braid client.
func (b *bench) fetch(ports string, more ...string) (sample, error) {
	return b.fetchTo("out", ports, more...)
}

// fetchTo downloads into a fresh folder and removes it.
func (b *bench) fetchTo(folder, ports string, more ...string) (sample, error) {
	out := b.path(folder)
	defer os.RemoveAll(out)
	return b.timed(b.braid, append([]string{"client", "-i", "3600", "-o", out, "-a", "127.0.0.1", "-p", ports, "--report", "none"}, more...)...)
}

func (b *bench) path(parts ...string) string {
	return filepath.Join(append([]string{b.dir}, parts...)...)
}

// freePorts finds n free TCP ports on loopback.
func freePorts(n int) (ports, addrs []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, err
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		ports, addrs = append(ports, port), append(addrs, l.Addr().String())
	}
	return ports, addrs, nil
}

// create makes a file that holds what write writes.
func (b *bench) create(name string, write func(*os.File) error) (string, error) {
	path := b.path(name)
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	return path, errors.Join(write(f), f.Close())
}

// randomFile writes a file that does not compress.
func (b *bench) randomFile(name string, size int64) (string, error) {
	return b.create(name, func(f *os.File) error {
		_, err := io.CopyN(f, rand.Reader, size)
		return err
	})
}

// holes makes a file of zeros that takes no room on most file systems.
func (b *bench) holes(name string, size int64) (string, error) {
	return b.create(name, func(f *os.File) error { return f.Truncate(size) })
}

// useMemory has so much of the memory used once right before it is measured: a virtual machine's host may
// take ten times as long to give a page the first time, and take back within seconds what is not used.
func (b *bench) useMemory(size int64) error {
	path, err := b.create("used", func(f *os.File) error { return fill(f, size) })
	os.Remove(path)
	return err
}

// row is a command of a comparison.
type row struct {
	name string
	run  func() (sample, error)
	got  []sample
}

// interleave runs all rows in turn, so that a noisy minute hits all of them.
func (b *bench) interleave(rows []*row) error {
	for rep := range b.reps + 1 {
		for _, r := range rows {
			s, err := r.run()
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			if rep > 0 { // the first one warms up
				r.got = append(r.got, s)
			}
		}
	}
	return nil
}

// median of a figure of the samples.
func median[T any](got []T, of func(T) float64) float64 {
	var v []float64
	for _, s := range got {
		v = append(v, of(s))
	}
	slices.Sort(v)
	if len(v) == 0 {
		return 0
	}
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// figure is a number for a table; 0 is one that was not measured.
func figure(v float64, decimals int) string {
	if v == 0 {
		return "not measured"
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}

// peakMiB is the median of the peaks, in MiB for a table.
func peakMiB(got ...sample) string { return figure(median(got, rssOf)/(1<<20), 0) }

func wallOf(s sample) float64 { return s.wall.Seconds() }
func userOf(s sample) float64 { return s.user.Seconds() }
func cpuOf(s sample) float64  { return (s.user + s.sys).Seconds() }
func rssOf(s sample) float64  { return float64(s.rss) }
