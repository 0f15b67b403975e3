//go:build !windows

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program is a running program whose stdout and stderr are read line by line.
type program struct {
	*exec.Cmd
	lines *bufio.Scanner
}

// start runs a program of TestMain; it is killed when the test hangs.
func start(t *testing.T, name string, args ...string) program {
	t.Helper()
	return startFor(t, time.Minute, name, args...)
}

// startFor is start for a program that may go on as long as limit.
func startFor(t *testing.T, limit time.Duration, name string, args ...string) program {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(plainEnvironment(), "GORACE=atexit_sleep_ms=0")
	return startCommand(t, cmd)
}

// plainEnvironment is that of the tests, without what the caller has set for braid.
func plainEnvironment() []string {
	return slices.DeleteFunc(os.Environ(), func(set string) bool { return strings.HasPrefix(set, "BRAID_") })
}

// startCommand is start for a command that is ready but for stdout and stderr.
func startCommand(t *testing.T, cmd *exec.Cmd) program {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return program{cmd, bufio.NewScanner(out)}
}

// until reads lines up to one that has text in it.
func (p program) until(t *testing.T, text string) {
	t.Helper()
	var seen []string
	for p.lines.Scan() {
		if seen = append(seen, p.lines.Text()); strings.Contains(p.lines.Text(), text) {
			return
		}
	}
	t.Fatalf("no %q in the output:\n%s", text, strings.Join(seen, "\n"))
}

// blocks reads what a client with --report json prints, to the end, and returns it. It tells of the
// bytes in each block.
func (p program) blocks(tell func(bytes int64)) string {
	var output strings.Builder
	for p.lines.Scan() {
		output.WriteString(p.lines.Text() + "\n")
		var block struct{ Bytes int64 }
		if json.Unmarshal(p.lines.Bytes(), &block) == nil {
			tell(block.Bytes)
		}
	}
	return output.String()
}

func (p program) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// end waits for the end and returns the exit code, -1 for a signal's kill.
func (p program) end(t *testing.T) int {
	t.Helper()
	var exited *exec.ExitError
	if err := p.Wait(); err != nil && !errors.As(err, &exited) {
		t.Fatal(err)
	}
	return p.ProcessState.ExitCode()
}

func TestSignalEndsServer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p := start(t, "server", "-i", "60", "-n", "1", "-f", file, "--bind", "127.0.0.1", "-p", portList(freePortsOf(t, 1)))
		p.until(t, "Server 1: Port: ")
		p.signal(t, s)
		if code := p.end(t); code != codeDone {
			t.Errorf("%v: exit code %d, want %d", s, code, codeDone)
		}
	}
}

func TestSignalInterruptsClient(t *testing.T) {
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p := start(t, "client", "-i", "60", "-o", t.TempDir(), "-a", "127.0.0.1", "-p", portList(freePortsOf(t, 1)))
		p.until(t, "Server 1")
		p.signal(t, s)
		p.until(t, "braid: interrupted")
		if code := p.end(t); code != codeInterrupted {
			t.Errorf("%v: exit code %d, want %d", s, code, codeInterrupted)
		}
	}
}

// fullPipe returns a pipe that takes no more and that nobody reads.
func fullPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	raw, err := w.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var full error
	err = raw.Write(func(fd uintptr) bool {
		for full == nil {
			_, full = syscall.Write(int(fd), []byte{'\n'})
		}
		return true
	})
	if err != nil || full != syscall.EAGAIN {
		t.Fatal(err, full)
	}
	return w
}

// Nobody reads what the client says, and it ends all the same.
func TestSignalInterruptsUnreadClient(t *testing.T) {
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		full := fullPipe(t)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		context.AfterFunc(ctx, func() { l.Close() })
		cmd := exec.CommandContext(ctx, "client", "-i", "0.01", "-o", t.TempDir(), "-a", "127.0.0.1",
			"-p", fmt.Sprint(l.Addr().(*net.TCPAddr).Port), "--progress", "always")
		cmd.Env = append(plainEnvironment(), "GORACE=atexit_sleep_ms=0")
		cmd.Stdout, cmd.Stderr = full, full
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		p := program{Cmd: cmd}
		if _, err := l.Accept(); err != nil { // it is at work
			t.Error(err)
		}
		p.signal(t, s)
		if code := p.end(t); code != codeInterrupted {
			t.Errorf("%v: exit code %d, want %d", s, code, codeInterrupted)
		}
	}
}

// An interrupted demo leaves nothing behind, and so nothing to go on from.
func TestSignalInterruptsDemo(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	p := start(t, "braid", "demo")
	p.until(t, "): connected")
	p.signal(t, syscall.SIGINT)
	p.until(t, "braid: the demo was interrupted, and nothing of it is left")
	if code := p.end(t); code != codeInterrupted {
		t.Errorf("exit code %d, want %d", code, codeInterrupted)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestSecondSignalKills sends the second signal until it has been taken: the
// program gives up its handler a moment after it has noticed the first one.
func TestSecondSignalKills(t *testing.T) {
	p := start(t, "stubborn")
	p.until(t, "ready")
	p.signal(t, syscall.SIGINT)
	p.until(t, "asked")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = p.Wait() // the state tells more
	}()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			status, ok := p.ProcessState.Sys().(syscall.WaitStatus)
			if !ok || !status.Signaled() || status.Signal() != syscall.SIGINT {
				t.Errorf("ended by %v, want SIGINT", p.ProcessState)
			}
			return
		case <-tick.C:
			_ = p.Process.Signal(syscall.SIGINT) // it may have ended
		}
	}
}
