package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"braid/client"
	"braid/server"
	"braid/transport"
)

// demoLimits are those of the demo's servers, one for each, in bytes/s.
var demoLimits = []int64{150e3, 250e3, 350e3, 450e3}

// What else the demo shows: the server that is shut down, and the share of the
// file at which that happens.
const (
	demoHost     = "127.0.0.1"
	demoName     = "braid-demo.avi"
	demoFalls    = 3
	demoMidway   = 0.4
	demoInterval = time.Second
)

// runDemo makes a video, serves it four times at unequal speed, downloads it
// with the ordinary client, and shuts a server down midway.
func runDemo(ctx context.Context, stdout, stderr io.Writer) error {
	folder, err := demoFolder()
	if err != nil {
		return err
	}
	if err = demonstrate(ctx, folder, 1, stdout, stderr); err == nil {
		return nil
	}
	if left := os.RemoveAll(folder); left != nil {
		err = errors.Join(err, left)
	} else if ctx.Err() != nil {
		return errDemoInterrupted{} // there is nothing for the client's -r to go on from
	}
	return err
}

// demoFolder makes the folder of the demo among the temporary files, or here where there is no place
// for those.
func demoFolder() (string, error) {
	folder, err := os.MkdirTemp("", "braid-demo-")
	if err == nil {
		return folder, nil
	}
	folder, here := os.MkdirTemp(".", "braid-demo-")
	if here != nil {
		return "", fmt.Errorf("the demo finds no folder that it may write to (TMPDIR sets one): %w", err)
	}
	return folder, nil
}

// errDemoInterrupted is the end of a demo by Ctrl-C.
type errDemoInterrupted struct{}

func (errDemoInterrupted) Error() string {
	return "the demo was interrupted, and nothing of it is left"
}
func (errDemoInterrupted) Unwrap() error { return context.Canceled }

// demonstrate is the demo in a folder, with servers so many times as fast.
func demonstrate(ctx context.Context, folder string, faster int64, stdout, stderr io.Writer) error {
	original := filepath.Join(folder, "original", demoName)
	defer os.RemoveAll(filepath.Dir(original))
	size, err := makeVideo(original)
	if err != nil {
		return err
	}
	say := func(format string, args ...any) { fmt.Fprintf(stdout, "\n* "+format+"\n", args...) }
	var speeds []string
	for _, limit := range demoLimits {
		speeds = append(speeds, strconv.FormatInt(limit/1000, 10))
	}
	say("A video of %d bytes is made. %d virtual servers hold a copy each, as fast as %s kB/s.", size, len(speeds), strings.Join(speeds, ", "))

	carrier, err := transport.Builtin().New(transport.TCP.Name, transport.Options{})
	if err != nil {
		return err
	}
	servers, err := startDemoServers(ctx, original, faster, carrier, stdout, stderr)
	if err != nil {
		return err
	}
	defer servers.stop()

	say("The ordinary client downloads from all of them at once.")
	midway := &meter{Transport: carrier, at: int64(float64(size) * demoMidway), reached: func(net.Addr) {
		say("Server %d is shut down now (a person would type E%[1]d). The others take its work over.", demoFalls)
		servers.command(fmt.Sprintf("E%d", demoFalls))
	}}
	err = client.Run(ctx, client.Config{
		Interval: demoInterval, Output: folder, Ports: servers.ports,
		Addresses: slices.Repeat([]string{demoHost}, len(demoLimits)),
		Wait:      time.Minute, Report: "text", Progress: "never",
	}, client.Env{
		Stdout: stdout, Stderr: stderr, Transport: midway,
	})
	if err != nil {
		return err
	}
	say("Every byte is verified. The video is here, and plays: %s", filepath.Join(folder, demoName))
	return nil
}

// makeVideo writes the demo's video and returns its size in bytes.
func makeVideo(path string) (int64, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return 0, err
	}
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	if err := errors.Join(writeVideo(f), f.Close()); err != nil {
		return 0, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// demoServers is the server part of the demo.
type demoServers struct {
	ports   []int
	open    opened
	console *io.PipeWriter
	cancel  context.CancelFunc
	ended   chan error
}

// startDemoServers starts the servers and waits until they are alive.
func startDemoServers(ctx context.Context, file string, faster int64, carrier transport.Transport, stdout, stderr io.Writer) (*demoServers, error) {
	open, ports, err := openPorts(ctx, carrier, len(demoLimits))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	keyboard, console := io.Pipe()
	alive := &firstWrite{w: stdout, done: make(chan struct{})}
	d := &demoServers{ports: ports, open: open, console: console, cancel: cancel, ended: make(chan error, 1)}
	cfg := server.Config{
		Interval: time.Hour, // one status block, at the start
		Servers:  len(demoLimits), Files: slices.Repeat([]string{file}, len(demoLimits)), Ports: ports, Bind: demoHost,
		MaxConns: 64, Report: "text",
	}
	for _, limit := range demoLimits {
		cfg.Limits = append(cfg.Limits, limit*faster)
	}
	go func() {
		d.ended <- server.Run(ctx, cfg, server.Env{Stdin: keyboard, Stdout: alive, Stderr: stderr, Transport: open})
		keyboard.Close()
	}()
	select {
	case <-alive.done:
		return d, nil
	case err := <-d.ended:
		cancel()
		open.close()
		if err == nil {
			err = ctx.Err()
		}
		return nil, err
	}
}

// command types a line at the servers' console.
func (d *demoServers) command(line string) { io.WriteString(d.console, line+"\n") }

// stop ends the servers and waits for them.
func (d *demoServers) stop() {
	d.cancel()
	d.console.Close()
	<-d.ended
	d.open.close()
}

// opened is a transport that listens already, on ports which nobody else can take any more.
type opened struct {
	transport.Transport
	listeners map[string]net.Listener // by address
}

// openPorts listens on n free ports of the loopback address. The caller closes them.
func openPorts(ctx context.Context, carrier transport.Transport, n int) (opened, []int, error) {
	o := opened{Transport: carrier, listeners: map[string]net.Listener{}}
	var ports []int
	for range n {
		l, err := carrier.Listen(ctx, net.JoinHostPort(demoHost, "0"))
		if err != nil {
			o.close()
			return opened{}, nil, err
		}
		o.listeners[l.Addr().String()] = l
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return o, ports, nil
}

// Listen hands an open listener over.
func (o opened) Listen(_ context.Context, addr string) (net.Listener, error) {
	if l, ok := o.listeners[addr]; ok {
		return l, nil
	}
	return nil, fmt.Errorf("%s has not been opened", addr)
}

// close closes what a server has not closed.
func (o opened) close() {
	for _, l := range o.listeners {
		l.Close()
	}
}

// firstWrite tells when its writer is written to for the first time.
type firstWrite struct {
	w    io.Writer
	once sync.Once
	done chan struct{}
}

func (f *firstWrite) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	f.once.Do(func() { close(f.done) })
	return n, err
}

// meter is a transport that counts what its connections read, and calls
// reached once, when that comes to at bytes, with the address that the last of them came from.
type meter struct {
	transport.Transport
	at      int64
	reached func(from net.Addr)
	read    atomic.Int64
}

func (m *meter) Dial(ctx context.Context, addr string) (net.Conn, error) {
	c, err := m.Transport.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	return meteredConn{c, m}, nil
}

type meteredConn struct {
	net.Conn
	meter *meter
}

func (c meteredConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if now := c.meter.read.Add(int64(n)); now >= c.meter.at && now-int64(n) < c.meter.at {
		c.meter.reached(c.RemoteAddr())
	}
	return n, err
}
