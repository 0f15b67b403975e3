// Command bench measures braid as whole processes on this machine's loopback,
// beside whatever peers are installed, and prints Markdown tables.
//
//	go run ./bench loopback     one large file, against cp, curl, aria2c and axel
//	go run ./bench limits       servers of unequal limits, over every transport, against the fluid limit
//	go run ./bench memory       peak memory of client and server
//	go run ./bench scale        many servers, many clients, many sizes
//	go run ./bench transports   the transports side by side, and what carries them alone
//	go run ./bench zstd         a text and a video, compressed and not, on loopback and slow links
//
// Machines are noisy: the runs of all rows are interleaved, and medians and ratios within one
// call are what counts. The rows of memory and scale are single runs: sizes are not hidden by
// noise.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
)

// bench is one call of the program.
type bench struct {
	ctx   context.Context
	braid string // path of the binary
	dir   string // scratch, removed at the end
	reps  int
	size  int64 // bytes of the file of loopback, transports and zstd
	svg   string
}

// measurements are what the first word may be.
var measurements = map[string]func(*bench) error{
	"loopback":   (*bench).loopback,
	"limits":     (*bench).limits,
	"memory":     (*bench).memory,
	"scale":      (*bench).scale,
	"transports": (*bench).transports,
	"zstd":       (*bench).zstd,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	b := &bench{ctx: ctx}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.StringVar(&b.braid, "braid", "", "path of the braid binary (default: built from this module)")
	fs.IntVar(&b.reps, "reps", 5, "counted runs of each row; one more warms up")
	mib := fs.Int64("mib", 1024, "size of the file of loopback, transports and zstd, MiB")
	scratch := fs.String("dir", defaultDir(), "where the files are; a memory file system, so that no disk is measured")
	fs.StringVar(&b.svg, "svg", "", "write the picture of loopback to this file")
	if len(args) == 0 {
		fs.Usage()
		return fmt.Errorf("say what to measure: loopback, limits, memory, scale, transports or zstd")
	}
	what := args[0]
	switch what {
	case "send", "receive":
		return plainEnd(ctx, what, args[1:])
	case "give", "take":
		return simpleEnd(ctx, what, args[1:])
	}
	measure := measurements[what]
	if measure == nil {
		return fmt.Errorf("unknown measurement %q", what)
	}
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	b.size = *mib << 20
	var err error
	if b.dir, err = os.MkdirTemp(*scratch, "braid-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if b.braid == "" {
		if err := b.build(); err != nil {
			return err
		}
	}
	return measure(b)
}

// build makes the binary out of this module.
func (b *bench) build() error {
	b.braid = filepath.Join(b.dir, "braid")
	cmd := exec.CommandContext(b.ctx, "go", "build", "-o", b.braid, "braid")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build braid: %w", err)
	}
	return nil
}

// defaultDir is a memory file system where there is one.
func defaultDir() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return os.TempDir()
}
