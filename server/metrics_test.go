package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"braid/wire"
)

// freeAddress is a loopback address that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", freePorts(t, 1)[0])
}

// ask sends raw bytes to an address and returns all that comes back.
func ask(t *testing.T, address, raw string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(socketLimit))
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("%v after %q", err, b)
	}
	return string(b)
}

func get(t *testing.T, address, path string) (status, body string) {
	t.Helper()
	head, body, found := strings.Cut(ask(t, address, "GET "+path+" HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n"), "\r\n\r\n")
	if !found || !strings.Contains(head, fmt.Sprintf("\r\nContent-Length: %d\r\n", len(body))) {
		t.Fatalf("got head %q and body %q", head, body)
	}
	status, _, _ = strings.Cut(strings.TrimPrefix(head, "HTTP/1.1 "), "\r\n")
	return status, body
}

// What a server has done is counted, over its lives, and whether any is alive.
func TestMetrics(t *testing.T) {
	path, data := newFile(t, 100_000)
	cfg := config(path, 2)
	cfg.MaxConns, cfg.Metrics = 1, freeAddress(t)
	tr := &memory{}
	r := start(t, cfg, tr)
	defer r.stop()
	r.await(func() bool { return r.stdout.count("alive") == 2 })

	c := tr.client(t, 9001)
	c.greet(wire.Hello{Parts: 1, Max: 100_000})
	c.manifest(7 * 32)
	if got := c.file(0, 0, len(data)); !bytes.Equal(got, data) {
		t.Error("another file came")
	}
	busy := tr.client(t, 9001)
	if err := busy.r.Preface(); err != nil {
		t.Fatal(err)
	}
	busy.refused(wire.Busy)
	stranger, err := tr.dial(9002)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(stranger, "GET / HTTP/1.1\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, stranger)
	stranger.Close()

	values := func(up1, up2, conns int) string {
		return fmt.Sprintf(`# HELP braid_server_up Whether the virtual server is alive (1) or dead (0).
# TYPE braid_server_up gauge
braid_server_up{server="1",port="9001"} %d
braid_server_up{server="2",port="9002"} %d
# HELP braid_server_connections Connections that are open now.
# TYPE braid_server_connections gauge
braid_server_connections{server="1",port="9001"} %d
braid_server_connections{server="2",port="9002"} 0
# HELP braid_server_connections_accepted_total Connections that were accepted, those refused later included.
# TYPE braid_server_connections_accepted_total counter
braid_server_connections_accepted_total{server="1",port="9001"} 2
braid_server_connections_accepted_total{server="2",port="9002"} 1
# HELP braid_server_connections_refused_total Connections that were refused: busy, a stranger, a broken rule, a changed file.
# TYPE braid_server_connections_refused_total counter
braid_server_connections_refused_total{server="1",port="9001"} 1
braid_server_connections_refused_total{server="2",port="9002"} 1
# HELP braid_server_sent_bytes_total Bytes of the file that were sent.
# TYPE braid_server_sent_bytes_total counter
braid_server_sent_bytes_total{server="1",port="9001"} 100000
braid_server_sent_bytes_total{server="2",port="9002"} 0
`, up1, up2, conns)
	}
	var status, body string
	r.await(func() bool {
		status, body = get(t, cfg.Metrics, "/metrics?x=y")
		return body == values(1, 1, 1)
	})
	if status != ok {
		t.Errorf("/metrics: %s", status)
	}
	if status, body := get(t, cfg.Metrics, "/healthz"); status != ok || body != "2 of 2 virtual servers are alive\n" {
		t.Errorf("/healthz: %s, %s", status, body)
	}
	r.enter("E2\n")
	r.await(func() bool {
		_, body := get(t, cfg.Metrics, "/healthz")
		return body == "1 of 2 virtual servers are alive\n"
	})
	r.enter("E1\n")
	r.await(func() bool { status, _ := get(t, cfg.Metrics, "/healthz"); return status == unavailable })
	if _, body := get(t, cfg.Metrics, "/metrics"); body != values(0, 0, 0) {
		t.Errorf("after the end of both:\n%s", body)
	}
}

// Every line has the form that Prometheus reads, every metric its type.
func TestMetricsFormat(t *testing.T) {
	var all []observation
	for k := range 3 {
		o := observation{accepted: 1 << 40}
		o.Number, o.Port = k+1, 9001+k
		all = append(all, o)
	}
	sample := regexp.MustCompile(`^[a-z_]+\{server="[0-9]+",port="[0-9]+"\} [0-9]+$`)
	named := ""
	samples := 0
	for line := range strings.Lines(metrics(all)) {
		line = strings.TrimSuffix(line, "\n")
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "# HELP "):
			named = words[2]
		case strings.HasPrefix(line, "# TYPE "):
			if words[2] != named || (words[3] == "counter") != strings.HasSuffix(named, "_total") {
				t.Errorf("bad type: %s", line)
			}
		case !sample.MatchString(line) || !strings.HasPrefix(line, named+"{"):
			t.Errorf("bad sample: %s", line)
		default:
			samples++
		}
	}
	if samples != 15 {
		t.Errorf("%d samples", samples)
	}
}

func TestHTTP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		serveHTTP(ctx, l, func(path string) response {
			if path == "/here" {
				return response{status: ok, kind: "text/x", body: "body\n"}
			}
			return response{status: "404 Not Found", body: "no\n"}
		})
	})
	defer done.Wait()
	defer cancel()
	for raw, want := range map[string]string{
		"GET /here HTTP/1.1\r\nHost: x\r\n\r\n":                     "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 5\r\nAllow: GET, HEAD\r\nCache-Control: no-store\r\nConnection: close\r\n\r\nbody\n",
		"HEAD /here?q HTTP/1.0\n\n":                                 "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 5\r\nAllow: GET, HEAD\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n":                                    "HTTP/1.1 404 Not Found\r\n",
		"POST /here HTTP/1.1\r\n\r\nx":                              "HTTP/1.1 405 Method Not Allowed\r\n",
		"GET here HTTP/1.1\r\n\r\n":                                 "HTTP/1.1 400 Bad Request\r\n",
		"GET /here HTTP/2.0\r\n\r\n":                                "HTTP/1.1 400 Bad Request\r\n",
		"hello\r\n\r\n":                                             "HTTP/1.1 400 Bad Request\r\n",
		"GET /" + strings.Repeat("x", httpHead):                     "HTTP/1.1 400 Bad Request\r\n",
		"GET / HTTP/1.1\r\n" + strings.Repeat("x: y\r\n", httpHead): "HTTP/1.1 400 Bad Request\r\n",
	} {
		if got := ask(t, l.Addr().String(), raw); !strings.HasPrefix(got, want) {
			t.Errorf("%.40q: got %q, want %q", raw, got, want)
		}
	}
	// One that never asks holds up neither others nor the end.
	mute, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	if got := ask(t, l.Addr().String(), "GET /here HTTP/1.1\r\n\r\n"); !strings.HasSuffix(got, "body\n") {
		t.Errorf("beside one who is mute: %q", got)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"))
	f.Add([]byte("GET /?\nx\n\n"))
	f.Add([]byte("WHAT? / HTTP/1.1\n\n")) // it is answered as any method that is not allowed
	f.Add(bytes.Repeat([]byte("x"), httpHead+1))
	f.Fuzz(func(t *testing.T, data []byte) {
		method, path, err := readRequest(bytes.NewReader(data))
		if err == nil && (method == "" || !strings.HasPrefix(path, "/") || strings.ContainsAny(method, " \n") || strings.ContainsAny(path, " \n?")) {
			t.Errorf("%q is read as %q of %q", data, method, path)
		}
		if err != nil && method+path != "" {
			t.Errorf("%q: %q and %q with an error", data, method, path)
		}
	})
}

// An address that is taken ends the program before it has started anything.
func TestMetricsAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	path, _ := newFile(t, 10)
	cfg := config(path, 1)
	cfg.Metrics = l.Addr().String()
	var stdout, stderr output
	err = Run(t.Context(), cfg, Env{Stdout: &stdout, Stderr: &stderr, Transport: &memory{}})
	if err == nil || !strings.HasPrefix(err.Error(), "--metrics: ") || !strings.Contains(err.Error(), cfg.Metrics) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	if stdout.String()+stderr.String() != "" {
		t.Errorf("it wrote %q and %q", stdout.String(), stderr.String())
	}
}

func TestMetricsPortOfAServer(t *testing.T) {
	files(t)
	for args, taken := range map[string]bool{
		"--metrics :9002":                                 true,
		"--metrics :9003":                                 false,
		"--metrics 127.0.0.1:9002":                        true,
		"--metrics 0.0.0.0:9002 --bind 127.0.0.1":         true,
		"--metrics [::1]:9002 --bind 0:0:0:0:0:0:0:1":     true,
		"--metrics LocalHost:9002 --bind localhost":       true,
		"--metrics 127.0.0.1:9002 --bind 192.168.1.20":    false,
		"--metrics :9002 --transport quic":                false,
		"--metrics :9002 --transport tcp+zstd":            true,
		"--metrics :9003 --transport tls --bind 10.0.0.1": false,
	} {
		cfg, err := ParseFlags(strings.Fields("-i 2 -n 2 -f a -p 9001 9002 "+args), transports)
		if !taken && (err != nil || cfg.Metrics == "") {
			t.Errorf("%s: got %q, %v", args, cfg.Metrics, err)
		}
		const want = "port 9002 is that of server 2 in --ports/-p, want another one"
		if taken && (err == nil || !strings.HasPrefix(err.Error(), "--metrics: ") || !strings.HasSuffix(err.Error(), want)) {
			t.Errorf("%s: got %v, want %s", args, err, want)
		}
	}
}
