package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the real main a command of the scripts, under several names.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"braid":              main,
		"server":             main,
		"client":             main,
		"server.exe":         main, // as on a flash drive
		"client.exe":         main,
		"Server-linux-amd64": main,
		"client (1)":         main,
		"stubborn":           stubborn,
		"sleeper":            sleeper,
	})
}

// stubborn is a program that does not end when it is asked to.
func stubborn() {
	ctx, stop := untilSignal()
	defer stop()
	fmt.Println("ready")
	<-ctx.Done()
	fmt.Println("asked")
	time.Sleep(time.Hour)
}

// sleeper is a program that sleeps longer. It tells how much, by Linux's /proc, and who it is.
func sleeper() {
	sleepLonger()
	slack, _ := os.ReadFile("/proc/self/timerslack_ns")
	fmt.Printf("%q %d %q", slack, os.Getpid(), os.Args[1:])
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			// A program under the race detector waits a second before it ends.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exit":    cmdExit,
			"refused": cmdRefused,
			"lines":   cmdLines,
		},
	})
}

// cmdExit runs a command and holds its exit code: exit 2 braid help nothing.
func cmdExit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exit CODE COMMAND [ARGS]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := exitCodeOf(ts, args[1:]); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// cmdRefused runs a command that must be refused as wrong usage: exit code 2,
// nothing on stdout, nothing created, and on stderr one line that begins with
// "braid: " and has the given text in it.
func cmdRefused(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: refused TEXT COMMAND [ARGS]")
	}
	before := tree(ts)
	if got := exitCodeOf(ts, args[1:]); got != codeUsage {
		ts.Fatalf("exit code %d, want %d", got, codeUsage)
	}
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("stdout is not empty: %q", out)
	}
	line := ts.ReadFile("stderr")
	if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") || !strings.HasPrefix(line, "braid: ") {
		ts.Fatalf("stderr is not one line that begins with braid: %q", line)
	}
	if !strings.Contains(line, args[0]) {
		ts.Fatalf("stderr has no %q: %q", args[0], line)
	}
	if after := tree(ts); !reflect.DeepEqual(after, before) {
		ts.Fatalf("files before %q, after %q", before, after)
	}
}

// cmdLines holds how many lines stdout or stderr has: lines stdout 1.
func cmdLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lines stdout|stderr N")
	}
	if got := strings.Count(ts.ReadFile(args[0]), "\n"); strconv.Itoa(got) != args[1] {
		ts.Fatalf("%d lines, want %s", got, args[1])
	}
}

func exitCodeOf(ts *testscript.TestScript, command []string) int {
	err := ts.Exec(command[0], command[1:]...)
	var exited *exec.ExitError
	if errors.As(err, &exited) {
		return exited.ExitCode()
	}
	ts.Check(err)
	return 0
}

// tree lists the script's folder.
func tree(ts *testscript.TestScript) []string {
	var paths []string
	ts.Check(filepath.WalkDir(ts.MkAbs("."), func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	}))
	return paths
}

// TestScriptsAreThere keeps TestScripts from passing on nothing.
func TestScriptsAreThere(t *testing.T) {
	for _, name := range []string{"mode", "help", "version", "keygen", "client-usage", "server-usage", "precedence", "config"} {
		info, err := os.Stat(filepath.Join("testdata", "script", name+".txtar"))
		if err != nil || info.Size() == 0 {
			t.Errorf("script %s: %v", name, err)
		}
	}
}
