package server

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"braid/flags"
)

var transports = []string{"tcp", "tls", "quic", "tcp+zstd"}

// files enters a folder with the files a, b and "One, two.mp4", and the folder d.
func files(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, name := range []string{"a", "b", "One, two.mp4"} {
		if err := os.WriteFile(name, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir("d", 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestParseFlags(t *testing.T) {
	files(t)
	defaults := func(change func(*Config)) Config {
		c := Config{
			Interval: 2 * time.Second, Servers: 2, Files: []string{"a", "a"}, Ports: []int{9001, 9002}, Limits: []int64{0, 0},
			Transport: "tcp", MaxConns: 1024, Report: "text",
		}
		change(&c)
		return c
	}
	for _, test := range []struct {
		args []string
		want Config
	}{
		{strings.Fields("-i 2 -n 2 -f a -p 9001 9002"), defaults(func(*Config) {})},
		{strings.Fields("-p 9001 9002 -i 2 -n 2 -f a,b --limit 2MB"), defaults(func(c *Config) {
			c.Files, c.Limits = []string{"a", "b"}, []int64{2e6, 2e6}
		})},
		{[]string{"-i", "2", "-n", "2", "-f", "One, two.mp4", "-p", "9001-9002"}, defaults(func(c *Config) {
			c.Files = []string{"One, two.mp4", "One, two.mp4"}
		})},
		{strings.Fields("-i 2 -n 2 -f a -f b -p 9001,9002 --limit 1MB,2MB --bind [::1] --max-conns 1 --report none --transport quic --key k"), defaults(func(c *Config) {
			c.Files, c.Limits, c.Bind, c.MaxConns = []string{"a", "b"}, []int64{1e6, 2e6}, "::1", 1
			c.Report, c.Transport, c.Key, c.KeyOnCommandLine = "none", "quic", "k", true
		})},
	} {
		got, err := ParseFlags(test.args, transports)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", test.args, got, err, test.want)
		}
	}
}

func TestFromTheEnvironment(t *testing.T) {
	files(t)
	for name, value := range map[string]string{
		"INTERVAL": "500ms", "SERVERS": "2", "FILE": "a,b", "PORTS": "1 2", "BIND": "127.0.0.1", "TRANSPORT": "quic", "KEY": "k",
		"LIMIT": "5kB", "MAX_CONNS": "3", "REPORT": "json",
	} {
		t.Setenv("BRAID_"+name, value)
	}
	got, err := ParseFlags(nil, transports)
	want := Config{
		Interval: 500 * time.Millisecond, Servers: 2, Files: []string{"a", "b"}, Ports: []int{1, 2}, Limits: []int64{5000, 5000},
		Bind: "127.0.0.1", Transport: "quic", Key: "k", MaxConns: 3, Report: "json",
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestParseFlagsErrors(t *testing.T) {
	files(t)
	const good = "-i 2 -n 2 -f a -p 9001 9002 "
	for _, test := range []struct{ args, want string }{
		{"", "--interval/-i, --servers/-n, --file/-f, --ports/-p: required but not given, want -i SECONDS -n N -f FILE -p PORTS (braid server --help explains them)"},
		{"-i 2 -n 2 -p 1 2", "--file/-f: required but not given, want -f FILE (the file to serve; or n files with commas between them: server k serves the k-th)"},
		{"-i 2 -n 3 -f a -p 1 2", `--servers/-n: "3": 2 ports in --ports/-p for 3 servers, want one port for each server`},
		{"-i 2 -n 0 -f a -p 1 2", `--servers/-n: "0": want a whole number from 1 to 65535`},
		{"-i 2 -n two -f a -p 1 2", `--servers/-n: "two": want a whole number from 1 to 65535`},
		{"-i 2 -n 3 -f a,b -p 1 2 3", `--file/-f: "a,b": 2 files for 3 servers, want 1 file, or one for each server`},
		{"-i 2 -n 2 -f d -p 1 2", `--file/-f: "d": is a folder, want a file`},
		{"-i 2 -n 2 -f a,d -p 1 2", `--file/-f: "d": is a folder, want a file`},
		{"-i 2 -n 2 -f= -p 1 2", `--file/-f: "": empty list, want one value or several with commas between them`},
		{good + "--limit 1MB,2MB,3MB", `--limit: "1MB,2MB,3MB": 3 limits for 2 servers, want 1 limit, or one for each server`},
		{good + "--limit 1MB,fast", `--limit: "1MB,fast": element "fast": want bytes above 0, such as 300000, 300kB, 2MB, 1.5MiB, 1GB`},
		{good + "--max-conns 0", `--max-conns: "0": want a whole number from 1 to 2147483647`},
		{good + "--bind 0.0.0.0:80", `--bind: "0.0.0.0:80": "0.0.0.0:80" has a port in it, want "0.0.0.0" here and "80" in --ports/-p`},
		{good + "--transport udp", `--transport: "udp": unknown transport, want tcp, tls, quic or tcp+zstd`},
		{good + "--key k", `--key: with --transport tcp it would protect nothing, want tls or quic (or no key)`},
		{good + "--report xml", `--report: "xml": want text, json or none`},
	} {
		got, err := ParseFlags(strings.Fields(test.args), transports)
		var e *flags.Error
		if !errors.As(err, &e) || e.Error() != test.want || !reflect.DeepEqual(got, Config{}) {
			t.Errorf("%s:\n got %v\nwant %s", test.args, err, test.want)
		}
	}
}

func TestFileThatIsMissing(t *testing.T) {
	files(t)
	missing := filepath.Join("d", "missing")
	_, err := ParseFlags([]string{"-i", "2", "-n", "2", "-f", "a," + missing, "-p", "1", "2"}, transports)
	var e *flags.Error
	if !errors.As(err, &e) || e.Value != missing || !strings.Contains(e.Error(), "cannot be read") {
		t.Errorf("got %v", err)
	}
}

func TestUsage(t *testing.T) {
	_, err := ParseFlags([]string{"-h"}, transports)
	var help *flags.ErrHelp
	if !errors.As(err, &help) {
		t.Fatalf("got %v, want help", err)
	}
	var c Config
	for _, f := range c.flagSet(transports).Flags {
		if !strings.Contains(help.Text, "--"+f.Long) {
			t.Errorf("no --%s in the usage text", f.Long)
		}
	}
}
