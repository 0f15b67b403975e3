package flags

import (
	"flag"
	"io"
	"math"
	"net"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

func FuzzPorts(f *testing.F) {
	for _, s := range []string{"9001", "9001,9002", "9001 9002", "9001-9003", "9001,9003-9005 9010", "1-65535", "9003-9001", "0", ",", "--"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		var ports []int
		if err := Ports(&ports, true)([]string{in}); err != nil {
			if ports != nil || len(err.Error()) > 600 {
				t.Errorf("%q: got %v, %v", in, ports, err)
			}
			return
		}
		seen := map[int]bool{}
		for _, p := range ports {
			if p < 1 || p > MaxPort || seen[p] {
				t.Errorf("%q: port %d", in, p)
			}
			seen[p] = true
		}
		if len(ports) == 0 {
			t.Errorf("%q: no ports and no error", in)
		}
	})
}

func FuzzSize(f *testing.F) {
	for _, s := range []string{"1", "300kB", "1.5MiB", "2 GB", "9223372036854775807", "9223372036854775808", ".5kB", "-1", "1e9", "٣"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if v, err := parseSize(in); (err == nil) != (v > 0) {
			t.Errorf("%q: got %d, %v", in, v, err)
		}
	})
}

func FuzzInterval(f *testing.F) {
	for _, s := range []string{"2", "0.5", "500ms", "1h30m", "-1", "0", "nan", "inf", "1e300", "0x1p-2", "9223372036"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		v := time.Duration(-1)
		err := Interval(&v)([]string{in})
		if (err == nil) != (v > 0) || v > maxDuration || float64(v) >= math.MaxInt64 {
			t.Errorf("%q: got %v, %v", in, v, err)
		}
	})
}

func FuzzHosts(f *testing.F) {
	for _, s := range []string{"127.0.0.1", "::1", "[::1]", "a,b", "a:1", "[::1]:2", "fe80::1%eth0", "fe80::1%a]b/c", "a..b", "[", ","} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		var hosts []string
		if Hosts(&hosts)([]string{in}) != nil {
			return
		}
		for _, h := range hosts {
			if h == "" || strings.ContainsAny(withoutZone(h), "[], \t\n/") {
				t.Errorf("%q: host %q", in, h)
			}
		}
		if len(hosts) == 0 {
			t.Errorf("%q: no hosts and no error", in)
		}
	})
}

// withoutZone leaves out the zone of an IPv6 address, in which anything may stand: it is
// the name of an interface ("Ethernet 2").
func withoutZone(host string) string {
	host, _, _ = strings.Cut(host, "%")
	return host
}

// FuzzHostPort holds that what is taken is a host and a port, is in its plain form, and
// that what is not taken changes nothing.
func FuzzHostPort(f *testing.F) {
	for _, s := range []string{"127.0.0.1:9100", ":9100", "[::1]:09100", "alpha:1", "[fe80::1%eth0]:65535", "[fe80::1%Ethernet 2]:1", "::1:9100", ":0", "a:65536", "a:http", "al pha:1", "[]:1", ":"} {
		f.Add(s)
	}
	f.Add("[" + strings.Repeat("\xff", 90) + ":1]:2") // its message shows three values, all of them escaped
	f.Fuzz(func(t *testing.T, in string) {
		taken := "kept"
		if err := HostPort(&taken)([]string{in}); err != nil {
			if taken != "kept" || strings.Contains(err.Error(), "\n") || len(err.Error()) > 600 {
				t.Errorf("%q: got %q, %v", in, taken, err)
			}
			return
		}
		host, port, err := net.SplitHostPort(taken)
		if n, bad := strconv.Atoi(port); err != nil || bad != nil || n < 1 || n > MaxPort || port != strconv.Itoa(n) {
			t.Errorf("%q: got %q, %v", in, taken, err)
		}
		if host == "" && !strings.HasPrefix(in, ":") && !strings.HasPrefix(in, "[]:") || strings.ContainsAny(withoutZone(host), "[], \t\n/") {
			t.Errorf("%q: host %q", in, host)
		}
		again := ""
		if err := HostPort(&again)([]string{taken}); err != nil || again != taken {
			t.Errorf("%q -> %q -> %q, %v", in, taken, again, err)
		}
	})
}

// FuzzNormalise holds that what comes out is what the standard flag package reads to
// the end, and that normalising it again changes nothing.
func FuzzNormalise(f *testing.F) {
	for _, s := range []string{
		"-i\x002\x00-p\x009001\x009002\x00-r", "-p9001\x00--interval=2", "--key\x00-h", "--key=-h", "-h", "--", "-\x00-",
		"-p\x00-1", "-r\x00yes", "-i", "-i\x00", "--=\x00-=", "-p\x009001\x00--\x00x", "---i", "-f\x00-\x00-i=\x00=",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		var v values
		table := testSet(&v).all()
		args := strings.Split(in, "\x00")
		out, err := normalise(table, args)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: error of several lines: %v", args, err)
			}
			return
		}
		fs := flag.NewFlagSet("", flag.ContinueOnError)
		fs.SetOutput(io.Discard)
		now := ""
		for i := range table {
			fs.Var(&collector{flag: &table[i], now: &now}, table[i].Long, "")
		}
		if err := fs.Parse(out); err != nil || fs.NArg() > 0 {
			t.Errorf("%q -> %q: the flag package says %v, %q left", args, out, err, fs.Args())
		}
		again, err := normalise(table, out)
		if err != nil || !reflect.DeepEqual(again, out) {
			t.Errorf("%q -> %q -> %q, %v", args, out, again, err)
		}
	})
}

func FuzzConfig(f *testing.F) {
	for _, s := range []string{"interval 2\n", "# c\nports 9001 9002\nresume\n", "\ufeffkey a#b # c", "i 2", "interval", "x y", "\x00", "config c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		var v values
		table := testSet(&v).all()
		source := ""
		err := parseConfig(table, "x.conf", &source, strings.NewReader(in), func(name, value string) error {
			if f := lookup(table, name); f == nil || f.Long != name || value == "" || !strings.HasPrefix(source, "file x.conf line ") {
				t.Errorf("%q: set(%q, %q) from %q", in, name, value, source)
			}
			return nil
		})
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: error of several lines: %v", in, err)
		}
	})
}
