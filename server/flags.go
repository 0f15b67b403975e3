package server

import (
	"errors"
	"io/fs"
	"math"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"braid/flags"
)

// Config is what a server process is asked to do. Server k has the k-th of
// Files, Ports and Limits.
type Config struct {
	// Interval is the time between two status blocks; above 0.
	Interval time.Duration
	// Servers is how many virtual servers there are.
	Servers int
	// Files, Ports and Limits have one element for each server. Limits are in
	// bytes a second; 0 for no limit.
	Files  []string
	Ports  []int
	Limits []int64
	// Bind is the address to listen on, without a port; empty for all.
	Bind string
	// Transport is a name of the registry; Key the secret shared with the
	// clients, or empty. KeyOnCommandLine tells that every process list shows
	// it.
	Transport        string
	Key              string
	KeyOnCommandLine bool
	// MaxConns is how many connections one virtual server holds at once.
	MaxConns int
	// Report is text, json or none.
	Report string
	// Metrics is host:port for /metrics and /healthz; empty for none.
	Metrics string
}

// ParseFlags reads the server's flags from args, the environment and the
// config file. transports are the known names. The files have been seen to be
// readable. The error is a [*flags.Error], or a [*flags.ErrHelp] where args
// ask for help.
func ParseFlags(args, transports []string) (Config, error) {
	c := defaults()
	set := c.flagSet(transports)
	if err := set.Parse(args); err != nil {
		return Config{}, err
	}
	c.KeyOnCommandLine = c.Key != "" && set.OnCommandLine("key")
	if err := c.check(set); err != nil {
		return Config{}, err
	}
	if c.Limits == nil {
		c.Limits = []int64{0}
	}
	c.Files = forEach(c.Files, c.Servers)
	c.Limits = forEach(c.Limits, c.Servers)
	return c, nil
}

// check refuses values that do not go together, and files that cannot be served.
func (c *Config) check(set *flags.Set) error {
	if err := set.CheckKey(c.Key, c.Transport); err != nil {
		return err
	}
	if len(c.Ports) != c.Servers {
		return set.Errorf("servers", "%d ports in --ports/-p for %d servers, want one port for each server", len(c.Ports), c.Servers)
	}
	if n := len(c.Files); n != 1 && n != c.Servers {
		return set.Errorf("file", "%d files for %d servers, want 1 file, or one for each server", n, c.Servers)
	}
	if n := len(c.Limits); n > 1 && n != c.Servers {
		return set.Errorf("limit", "%d limits for %d servers, want 1 limit, or one for each server", n, c.Servers)
	}
	if i := c.metricsTaken(); i >= 0 {
		return set.Errorf("metrics", "port %d is that of server %d in --ports/-p, want another one", c.Ports[i], i+1)
	}
	for _, path := range c.Files {
		if err := readable(path); err != nil {
			e := set.Errorf("file", "%v", err)
			e.Value = path
			return e
		}
	}
	return nil
}

// metricsTaken is the index of the server that listens where --metrics is to; -1 if none does.
func (c *Config) metricsTaken() int {
	host, port, err := net.SplitHostPort(c.Metrics)
	if err != nil || strings.HasPrefix(c.Transport, "quic") || !meet(host, c.Bind) { // quic's ports are those of UDP
		return -1
	}
	return slices.IndexFunc(c.Ports, func(p int) bool { return port == strconv.Itoa(p) })
}

// meet reports whether two addresses to listen on have one in common.
func meet(a, b string) bool {
	return isAll(a) || isAll(b) || flags.CanonicalHost(a) == flags.CanonicalHost(b)
}

// isAll holds of every address of the machine.
func isAll(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

// readable tells why a file cannot be served; nil if it can.
func readable(path string) error {
	info, err := os.Stat(path) // before opening: a named pipe would block
	if err != nil {
		return unreadable(err)
	}
	switch {
	case info.IsDir():
		return errors.New("is a folder, want a file")
	case !info.Mode().IsRegular():
		return errors.New("is no ordinary file, want one that can be read again and again")
	}
	f, err := os.Open(path)
	if err != nil {
		return unreadable(err)
	}
	return f.Close()
}

// unreadable leaves out the path, which the message has already.
func unreadable(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return errors.New("cannot be read (" + err.Error() + "), want a file that is there and readable")
}

// forEach repeats a single value for each of n servers.
func forEach[T any](values []T, n int) []T {
	if len(values) == 1 {
		return slices.Repeat(values, n)
	}
	return values
}

// isFile tells that a whole value, commas and all, is the name of a file.
func isFile(value string) bool {
	info, err := os.Stat(value)
	return err == nil && info.Mode().IsRegular()
}

func defaults() Config {
	return Config{
		Transport: "tcp",
		MaxConns:  1024,
		Report:    "text",
	}
}

// Flags is the table of the server's flags, for texts that are made from it.
func Flags(transports []string) *flags.Set {
	c := defaults()
	return c.flagSet(transports)
}

// flagSet is the table of the server's flags; reading it fills c.
func (c *Config) flagSet(transports []string) *flags.Set {
	forms := []string{"text", "json", "none"}
	return &flags.Set{
		Name: "braid server",
		Summary: "Serve one file from n virtual servers, each on a port of its own and independent of the others. " +
			"On stdin, E2 shuts server 2 down, S2 starts it again, Q ends the program.",
		Flags: []flags.Flag{
			{Long: "interval", Short: "i", Arg: "SECONDS", Required: true, Set: flags.Interval(&c.Interval),
				Help: "seconds between status blocks: 2, 0.5, also 500ms"},
			{Long: "servers", Short: "n", Arg: "N", Required: true, Set: flags.Int(&c.Servers, 1, flags.MaxPort),
				Help: "how many virtual servers"},
			{Long: "file", Short: "f", Arg: "FILE", Required: true, List: true, Set: flags.List(&c.Files, isFile),
				Help: "the file to serve; or n files with commas between them: server k serves the k-th"},
			{Long: "ports", Short: "p", Arg: "PORTS", Required: true, List: true, Words: true, Set: flags.Ports(&c.Ports, true),
				Help: "n ports, one a server: 9001,9002 or 9001 9002 or 9001-9004 or a mix"},
			{Long: "bind", Arg: "ADDRESS", Default: "all", Set: flags.Host(&c.Bind),
				Help: "address to listen on"},
			{Long: "transport", Arg: "NAME", Default: c.Transport, Values: transports, Set: flags.Transport(&c.Transport, transports),
				Help: "what carries the bytes, the same on both sides: " + strings.Join(transports, ", ")},
			{Long: "key", Arg: "SECRET", Default: "none", Secret: true, Set: flags.Secret(&c.Key),
				Help: "shared secret that clients must prove, better given as BRAID_KEY; not with plain tcp"},
			{Long: "limit", Arg: "SIZE", Default: "none", List: true, Set: flags.Sizes(&c.Limits),
				Help: "cap on what each virtual server sends, in bytes a second: 2MB for each of them, or n values 1MB,2MB,4MB"},
			{Long: "max-conns", Arg: "N", Default: "1024", Set: flags.Int(&c.MaxConns, 1, math.MaxInt32),
				Help: "connections one virtual server holds at once; the next one is told \"busy\" and closed"},
			{Long: "report", Arg: "FORM", Default: c.Report, Values: forms, Set: flags.Word(&c.Report, forms...),
				Help: "what stdout carries: text, json (one object a line), none"},
			{Long: "metrics", Arg: "ADDRESS", Default: "none", Set: flags.HostPort(&c.Metrics),
				Help: "serve /metrics (Prometheus) and /healthz at host:port; :9100 is every address of the machine"},
		},
		Examples: []string{
			"braid server -i 2 -n 4 -f video.mp4 -p 9001-9004",
			"braid server -i 0.5 -n 2 -f a/video.mp4,b/video.mp4 -p 9001 9002 --limit 1MB,4MB",
			"BRAID_KEY=secret braid server -i 2 -n 2 -f video.mp4 -p 9001,9002 --transport quic",
		},
		Notes: []string{
			"Every flag can also come from the environment (BRAID_INTERVAL=2, BRAID_MAX_CONNS=64) and from a " +
				"config file (--config or BRAID_CONFIG; lines such as \"interval 2\"). The command line beats the environment " +
				"beats the config file.",
			"-f, -p and --limit may be repeated, and their lists are joined; of any other flag the last one holds.",
			"Exit codes: 0 ended by Q, SIGINT or SIGTERM, 1 failure (no port could be listened on), 2 wrong usage.",
		},
	}
}
