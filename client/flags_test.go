package client

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"braid/flags"
)

var transports = []string{"tcp", "tls", "quic", "tcp+zstd"}

const hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestParseFlags(t *testing.T) {
	defaults := func(change func(*Config)) Config {
		c := Config{
			Interval: 2 * time.Second, Output: "out", Addresses: []string{"h", "h"}, Ports: []int{9001, 9002},
			Transport: "tcp", Wait: 10 * time.Minute, Report: "text", Progress: "auto",
		}
		change(&c)
		return c
	}
	for _, test := range []struct {
		args string
		want Config
	}{
		{"-i 2 -o out -a h -p 9001 9002", defaults(func(*Config) {})},
		{"-i 2 -o out -a [::1],g -p 9001,9002", defaults(func(c *Config) { c.Addresses = []string{"::1", "g"} })},
		{"-i 2 -o out -a ::1 -a g -p 9001,9002", defaults(func(c *Config) { c.Addresses = []string{"::1", "g"} })},
		{"-i2 -oout -ah -p9001 9002", defaults(func(*Config) {})},
		{"-i 2 -o out -a alpha,beta -p 9001,9001", defaults(func(c *Config) { c.Addresses, c.Ports = []string{"alpha", "beta"}, []int{9001, 9001} })},
		{"-p 9001 9002 -r -i 2 -o out -a h --overwrite --wait 0 --streams 16 --limit 1.5MiB --report json --progress never --transport tls --key k --digest " + strings.ToUpper(hash),
			defaults(func(c *Config) {
				c.Resume, c.Overwrite, c.Wait, c.Streams, c.Limit = true, true, 0, 16, 3<<19
				c.Report, c.Progress, c.Transport, c.Key, c.KeyOnCommandLine, c.Digest = "json", "never", "tls", "k", true, hash
			})},
	} {
		got, err := ParseFlags(strings.Fields(test.args), transports)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", test.args, got, err, test.want)
		}
	}
}

func TestTargets(t *testing.T) {
	c := Config{Addresses: []string{"::1", "h", "10.0.0.1"}, Ports: []int{1, 2, 3}}
	if got, want := c.Targets(), []string{"[::1]:1", "h:2", "10.0.0.1:3"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestFromTheEnvironment also holds that a key from there is not on the command line.
func TestFromTheEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"INTERVAL": "500ms", "OUTPUT": "o", "ADDRESS": "a,b", "PORTS": "1 2", "RESUME": "true", "TRANSPORT": "quic", "KEY": "k",
		"DIGEST": hash, "OVERWRITE": "1", "WAIT": "3", "STREAMS": "4", "LIMIT": "5kB", "REPORT": "none", "PROGRESS": "always",
	} {
		t.Setenv("BRAID_"+name, value)
	}
	got, err := ParseFlags(nil, transports)
	want := Config{
		Interval: 500 * time.Millisecond, Output: "o", Addresses: []string{"a", "b"}, Ports: []int{1, 2}, Resume: true,
		Transport: "quic", Key: "k", Digest: hash, Overwrite: true, Wait: 3 * time.Second, Streams: 4, Limit: 5000,
		Report: "none", Progress: "always",
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestParseFlagsErrors(t *testing.T) {
	const good = "-i 2 -o out -a h -p 9001 9002 "
	for _, test := range []struct{ args, want string }{
		{"", "--interval/-i, --output/-o, --address/-a, --ports/-p: required but not given, want -i SECONDS -o DIR -a ADDRESS -p PORTS (braid client --help explains them)"},
		{"-i 2 -o out -a h", "--ports/-p: required but not given, want -p PORTS (the servers' ports: 9001,9002 or 9001 9002 or 9001-9004 or a mix)"},
		{"-i 2 -o out -a a,b -p 1,2,3", `--address/-a: "a,b": 2 addresses for 3 ports, want 1 address, or one for each port in --ports/-p`},
		{"-i 2 -o out -a a,b,c -p 1,2", `--address/-a: "a,b,c": 3 addresses for 2 ports, want 1 address, or one for each port in --ports/-p`},
		{"-i 2 -o out -a h:9001 -p 9001", `--address/-a: "h:9001": "h:9001" has a port in it, want "h" here and "9001" in --ports/-p`},
		{"-i 2 -o out -a h -p 9001,9001", `--ports/-p: "9001,9001": port 9001 is given twice at h, want each port once at an address`},
		{"-i 2 -o out -a ::1,0:0:0:0:0:0:0:1 -p 9001,9001", `--ports/-p: "9001,9001": port 9001 is given twice at 0:0:0:0:0:0:0:1, want each port once at an address`},
		{"-i 2 -o out -a localhost,LOCALHOST -p 9001,9001", `--ports/-p: "9001,9001": port 9001 is given twice at LOCALHOST, want each port once at an address`},
		{"-i 2 -o= -a h -p 9001", `--output/-o: "": empty, want a directory, such as -o downloads`},
		{good + "--transport qiuc", `--transport: "qiuc": unknown transport, want tcp, tls, quic or tcp+zstd`},
		{good + "--key k", `--key: with --transport tcp it would protect nothing, want tls or quic (or no key)`},
		{good + "--key k --transport tcp+zstd", `--key: with --transport tcp+zstd it would protect nothing, want tls or quic (or no key)`},
		{good + "--digest abc", `--digest: "abc": 3 characters, want the 64 hex digits that b3sum prints`},
		{good + "--digest=", `--digest: "": 0 characters, want the 64 hex digits that b3sum prints`},
		{good + "--streams 17", `--streams: "17": want auto or a whole number from 1 to 16`},
		{good + "--limit 0", `--limit: "0": want bytes above 0, such as 300000, 300kB, 2MB, 1.5MiB, 1GB`},
		{good + "--wait -1", `--wait: "-1": want a time: seconds such as 0, 2 or 0.5, or 500ms, 10m, 1h`},
		{good + "--report xml", `--report: "xml": want text, json or none`},
		{good + "--progress yes", `--progress: "yes": want auto, always or never`},
		{good + "-n 2", `"-n": unknown flag; braid client --help lists the flags`},
	} {
		got, err := ParseFlags(strings.Fields(test.args), transports)
		var e *flags.Error
		if !errors.As(err, &e) || e.Error() != test.want || !reflect.DeepEqual(got, Config{}) {
			t.Errorf("%s:\n got %v\nwant %s", test.args, err, test.want)
		}
	}
}

func TestKeyFromEnvironmentIsRefusedOnTCP(t *testing.T) {
	t.Setenv("BRAID_KEY", "hunter2")
	_, err := ParseFlags(strings.Fields("-i 2 -o out -a h -p 9001"), transports)
	const want = "--key (from BRAID_KEY): with --transport tcp it would protect nothing, want tls or quic (or no key)"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestUsage holds that the usage text lists every flag, and that the defaults in it are true.
func TestUsage(t *testing.T) {
	_, err := ParseFlags([]string{"--help"}, transports)
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
	if _, err := ParseFlags(strings.Fields("-i 2 -o o -a h -p 1 --transport tcp --wait 10m --streams auto --report text --progress auto"), transports); err != nil {
		t.Errorf("the defaults that the usage text names: %v", err)
	}
}
