package flags

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestPorts(t *testing.T) {
	for _, test := range []struct {
		in   string
		want []int
	}{
		{"9001", []int{9001}},
		{"9001,9002,9003", []int{9001, 9002, 9003}},
		{"9001 9002", []int{9001, 9002}},
		{" 9002 ,\t9001 ", []int{9002, 9001}},
		{"9001-9003", []int{9001, 9002, 9003}},
		{"9001-9001", []int{9001}},
		{"9001,9003-9005 9010", []int{9001, 9003, 9004, 9005, 9010}},
		{"1,65535", []int{1, 65535}},
	} {
		var got []int
		if err := Ports(&got, true)([]string{test.in}); err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: got %v, %v, want %v", test.in, got, err, test.want)
		}
	}
	for in, want := range map[string]string{
		"":               "empty list",
		"  ":             "empty list",
		"9001,":          "empty element",
		",9001":          "empty element",
		"9001,,9002":     "empty element",
		"0":              `"0" is no port`,
		"65536":          `"65536" is no port`,
		"9001,x":         `"x" is no port`,
		"+9001":          `"+9001" is no port`,
		"9001-":          `"9001-" is no port`,
		"1-65536":        `"1-65536" is no port`,
		"1-2-3":          `"1-2-3" is no port`,
		"9003-9001":      "want 9001-9003",
		"9001,9001":      "port 9001 is given twice",
		"9001-9004,9003": "port 9003 is given twice",
		"99999999999999": "is no port",
	} {
		got := []int{7}
		err := Ports(&got, true)([]string{in})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", in, err, want)
		}
		if !reflect.DeepEqual(got, []int{7}) {
			t.Errorf("%q: the value was changed to %v", in, got)
		}
	}
}

func TestTooManyPorts(t *testing.T) {
	var got []int
	err := Ports(&got, false)([]string{"1-65535,1"})
	if err == nil || err.Error() != "more than 65535 ports, want no more than that" || got != nil {
		t.Errorf("got %d ports, %v", len(got), err)
	}
}

func TestSize(t *testing.T) {
	for in, want := range map[string]int64{
		"1": 1, "300000": 300000, "300kB": 300000, "2MB": 2e6, "1GB": 1e9, "1TB": 1e12,
		"1KiB": 1 << 10, "1.5MiB": 3 << 19, "2GiB": 2 << 30, "1TiB": 1 << 40,
		"2mb": 2e6, "2mib": 2 << 20, "2 MB": 2e6, "0.5kB": 500, ".5kB": 500, "2M": 2e6,
		"9223372036854775807": math.MaxInt64, "9007199254740993": 1<<53 + 1,
	} {
		var got int64
		if err := Size(&got)([]string{in}); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "0", "-1", "-1MB", "MB", "0.4", "2XB", "1,000", "1e3", "nan", "inf", "0x10",
		"9223372036854775808", "99999999TiB", "1.2.3", "２MB", "2MB/s", "2MB 3MB"} {
		got := int64(7)
		if err := Size(&got)([]string{in}); err == nil || got != 7 {
			t.Errorf("%q: got %d, %v, want an error", in, got, err)
		}
	}
}

func TestSizes(t *testing.T) {
	var got []int64
	if err := Sizes(&got)([]string{"1MB, 2MB", "3kB"}); err != nil || !reflect.DeepEqual(got, []int64{1e6, 2e6, 3e3}) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, in := range []string{"", "1MB,", "1MB,,2MB", "1MB,0"} {
		if err := Sizes(&got)([]string{in}); err == nil {
			t.Errorf("%q: want an error", in)
		}
	}
}

func TestInterval(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"2": 2 * time.Second, "0.5": 500 * time.Millisecond, ".5": 500 * time.Millisecond,
		"500ms": 500 * time.Millisecond, "1m": time.Minute, "1h30m": 90 * time.Minute, " 2 ": 2 * time.Second,
		"0.1": 100 * time.Millisecond, "3600000000": maxDuration,
	} {
		var got time.Duration
		if err := Interval(&got)([]string{in}); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "0", "0s", "-1", "-1s", "-0.5", "1e-12", "nan", "inf", "-inf", "1e300",
		"1000001h", "3600000001", "abc", "2 s", "0,5", "1d"} {
		got := time.Duration(7)
		if err := Interval(&got)([]string{in}); err == nil || got != 7 {
			t.Errorf("%q: got %v, %v, want an error", in, got, err)
		}
	}
}

func TestDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{"0": 0, "0s": 0, "2": 2 * time.Second, "10m": 10 * time.Minute} {
		got := time.Duration(7)
		if err := Duration(&got)([]string{in}); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "-1", "nan", "never"} {
		var got time.Duration
		if err := Duration(&got)([]string{in}); err == nil {
			t.Errorf("%q: got %v, want an error", in, got)
		}
	}
}

func TestAutoInt(t *testing.T) {
	for in, want := range map[string]int{"auto": 0, "1": 1, "16": 16} {
		got := 7
		if err := AutoInt(&got, 16)([]string{in}); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "0", "17", "-1", "1.5", "Auto", "many"} {
		got := 7
		err := AutoInt(&got, 16)([]string{in})
		if err == nil || err.Error() != "want auto or a whole number from 1 to 16" || got != 7 {
			t.Errorf("%q: got %d, %v, want an error", in, got, err)
		}
	}
}

func TestDigest(t *testing.T) {
	var got string
	in := strings.Repeat("0123456789ABCDEF", 4)
	if err := Digest(&got)([]string{in}); err != nil || got != strings.ToLower(in) {
		t.Errorf("got %q, %v", got, err)
	}
	const want = "want the 64 hex digits that b3sum prints"
	for in, what := range map[string]string{
		"": "0 characters, ", in[1:]: "63 characters, ", in + "0": "65 characters, ", in + "\n": "65 characters, ",
		in[1:] + "g": "not only digits and a to f, ",
	} {
		if err := Digest(&got)([]string{in}); err == nil || err.Error() != what+want {
			t.Errorf("%q: got %v", in, err)
		}
	}
}

func TestWordAndTransport(t *testing.T) {
	got := "text"
	if err := Word(&got, "text", "json", "none")([]string{"xml"}); err == nil || err.Error() != "want text, json or none" || got != "text" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := Word(&got, "text", "json", "none")([]string{"json"}); err != nil || got != "json" {
		t.Errorf("got %q, %v", got, err)
	}
	got = "tcp"
	if err := Transport(&got, []string{"tcp", "tls"})([]string{"udp"}); err == nil || err.Error() != "unknown transport, want tcp or tls" || got != "tcp" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestHosts(t *testing.T) {
	for in, want := range map[string][]string{
		"127.0.0.1":           {"127.0.0.1"},
		"::1":                 {"::1"},
		"[::1]":               {"::1"},
		"fe80::1%eth0":        {"fe80::1%eth0"},
		"localhost":           {"localhost"},
		"a.example.org.":      {"a.example.org."},
		"my_host-2":           {"my_host-2"},
		"10.0.0.1, ::1,alpha": {"10.0.0.1", "::1", "alpha"},
		"10.0.0.1 alpha":      {"10.0.0.1", "alpha"},
	} {
		var got []string
		if err := Hosts(&got)([]string{in}); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"":                                "empty list",
		"a,,b":                            "empty element",
		"a,":                              "empty element",
		"127.0.0.1:9001":                  `want "127.0.0.1" here and "9001" in --ports/-p`,
		"[::1]:9001":                      `want "::1" here`,
		"alpha:9001":                      `want "alpha" here`,
		"300.0.0.1":                       "is no address",
		"10.0.0":                          "is no address",
		"http://alpha":                    "is no address",
		"[::1":                            "is no address",
		"[127.0.0.1]":                     "is no address",
		"-alpha":                          "is no address",
		"a..b":                            "is no address",
		".":                               "is no address",
		":9001":                           "is no address",
		"1::2::3":                         "is no address",
		strings.Repeat("a.", 127) + "com": "is no address",
	} {
		var got []string
		if err := Hosts(&got)([]string{in}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
	}
}

func TestCanonicalHost(t *testing.T) {
	for in, want := range map[string]string{
		"127.0.0.1": "127.0.0.1", "::ffff:127.0.0.1": "127.0.0.1", "0:0:0:0:0:0:0:1": "::1", "FE80::01%eth0": "fe80::1%eth0",
		"LocalHost": "localhost", "alpha.example.": "alpha.example",
	} {
		if got := CanonicalHost(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestHost(t *testing.T) {
	for in, want := range map[string]string{"": "", "0.0.0.0": "0.0.0.0", "[::]": "::", "localhost": "localhost"} {
		got := "x"
		if err := Host(&got)([]string{in}); err != nil || got != want {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
	var got string
	if err := Host(&got)([]string{"0.0.0.0:80"}); err == nil {
		t.Error("a port was accepted")
	}
}

func TestList(t *testing.T) {
	var got []string
	whole := func(v string) bool { return v == "One, two.mp4" }
	if err := List(&got, whole)([]string{"a b, c", "One, two.mp4"}); err != nil || !reflect.DeepEqual(got, []string{"a b", "c", "One, two.mp4"}) {
		t.Errorf("got %q, %v", got, err)
	}
	for _, in := range []string{"", ",", "a,,b"} {
		if err := List(&got, nil)([]string{in}); err == nil {
			t.Errorf("%q: want an error", in)
		}
	}
}

func TestText(t *testing.T) {
	var got string
	if err := Text(&got, "a directory")([]string{""}); err == nil || err.Error() != "empty, want a directory" {
		t.Errorf("got %v", err)
	}
	if err := Text(&got, "a directory")([]string{"."}); err != nil || got != "." {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestClosest(t *testing.T) {
	var v values
	table := testSet(&v).all()
	for in, want := range map[string]string{
		"intervall": "interval", "int": "interval", "port": "ports", "prots": "ports", "files": "file",
		"maxconns": "max-conns", "max_conns": "max-conns", "Resume": "resume", "hlep": "help",
		"x": "", "bogus": "", "": "",
	} {
		got := ""
		if f := closest(table, in); f != nil {
			got = f.Long
		}
		if got != want {
			t.Errorf("closest(%q) = %q, want %q", in, got, want)
		}
	}
}
