package client

import (
	"net"
	"strconv"
	"strings"
	"time"

	"braid/flags"
)

// Config is what a download is asked to do.
type Config struct {
	// Interval is the time between two metric blocks; above 0.
	Interval time.Duration
	// Output is the directory for the file; it is made if it is missing.
	Output string
	// Addresses and Ports are the servers': server k is at Addresses[k-1] and
	// Ports[k-1]. Addresses have no ports and no brackets.
	Addresses []string
	Ports     []int
	// Resume goes on with a download that is in progress in Output.
	Resume bool
	// Transport is a name of the registry; Key the secret shared with the
	// servers, or empty. KeyOnCommandLine tells that every process list shows
	// it.
	Transport        string
	Key              string
	KeyOnCommandLine bool
	// Digest is the BLAKE3 hash of the only content to accept, in 64 lower
	// case hex digits; empty for none.
	Digest string
	// Overwrite replaces a file of the same name that has other content.
	Overwrite bool
	// Wait is how long to seek while no server answers; 0 gives up at once.
	Wait time.Duration
	// Streams is how many connections to open to each server; 0 finds out.
	Streams int
	// Limit caps the whole download, in bytes a second; 0 for no cap.
	Limit int64
	// Report is text, json or none; Progress is auto, always or never.
	Report   string
	Progress string
	// HTML is the file for a page that shows how the download went; empty for none.
	HTML string
}

// Targets lists the servers as host:port, in their order.
func (c Config) Targets() []string {
	var targets []string
	for i, port := range c.Ports {
		targets = append(targets, net.JoinHostPort(c.Addresses[i], strconv.Itoa(port)))
	}
	return targets
}

// maxStreams is how many connections to one server may be asked for.
const maxStreams = 16

// ParseFlags reads the client's flags from args, the environment and the
// config file. transports are the known names. The error is a [*flags.Error],
// or a [*flags.ErrHelp] where args ask for help.
func ParseFlags(args, transports []string) (Config, error) {
	c := defaults()
	set := c.flagSet(transports)
	if err := set.Parse(args); err != nil {
		return Config{}, err
	}
	c.KeyOnCommandLine = c.Key != "" && set.OnCommandLine("key")
	if err := set.CheckKey(c.Key, c.Transport); err != nil {
		return Config{}, err
	}
	if c.HTML != "" {
		if err := checkPage(c.HTML, c.Output); err != nil {
			return Config{}, set.Errorf("html", "%v", err)
		}
	}
	if len(c.Addresses) == 1 {
		for len(c.Addresses) < len(c.Ports) {
			c.Addresses = append(c.Addresses, c.Addresses[0])
		}
	}
	if len(c.Addresses) != len(c.Ports) {
		return Config{}, set.Errorf("address", "%d addresses for %d ports, want 1 address, or one for each port in --ports/-p",
			len(c.Addresses), len(c.Ports))
	}
	if err := c.distinct(set); err != nil {
		return Config{}, err
	}
	return c, nil
}

// distinct refuses a server that is given twice, however it is spelled.
func (c *Config) distinct(set *flags.Set) error {
	type target struct {
		host string
		port int
	}
	seen := map[target]bool{}
	for i, port := range c.Ports {
		t := target{flags.CanonicalHost(c.Addresses[i]), port}
		if seen[t] {
			return set.Errorf("ports", "port %d is given twice at %s, want each port once at an address", port, c.Addresses[i])
		}
		seen[t] = true
	}
	return nil
}

func defaults() Config {
	return Config{
		Transport: "tcp",
		Wait:      10 * time.Minute,
		Report:    "text",
		Progress:  "auto",
	}
}

// Flags is the table of the client's flags, for texts that are made from it.
func Flags(transports []string) *flags.Set {
	c := defaults()
	return c.flagSet(transports)
}

// flagSet is the table of the client's flags; reading it fills c.
func (c *Config) flagSet(transports []string) *flags.Set {
	forms, whens := []string{"text", "json", "none"}, []string{"auto", "always", "never"}
	return &flags.Set{
		Name: "braid client",
		Summary: "Download one file from many servers at once, verify every byte of it, and go on " +
			"while servers fail and come back.",
		Flags: []flags.Flag{
			{Long: "interval", Short: "i", Arg: "SECONDS", Required: true, Set: flags.Interval(&c.Interval),
				Help: "seconds between metric blocks: 2, 0.5, also 500ms"},
			{Long: "output", Short: "o", Arg: "DIR", Required: true, Set: flags.Text(&c.Output, "a directory, such as -o downloads"),
				Help: "output directory; made if it is missing"},
			{Long: "address", Short: "a", Arg: "ADDRESS", Required: true, List: true, Set: flags.Hosts(&c.Addresses),
				Help: "address of the servers, an IPv4/IPv6 literal or a host name; or a comma list, one for each port"},
			{Long: "ports", Short: "p", Arg: "PORTS", Required: true, List: true, Words: true, Set: flags.Ports(&c.Ports, false),
				Help: "the servers' ports: 9001,9002 or 9001 9002 or 9001-9004 or a mix"},
			{Long: "resume", Short: "r", Set: flags.Switch(&c.Resume),
				Help: "go on with a download that is already in progress in the output directory"},
			{Long: "transport", Arg: "NAME", Default: c.Transport, Values: transports, Set: flags.Transport(&c.Transport, transports),
				Help: "what carries the bytes, the same on both sides: " + strings.Join(transports, ", ")},
			{Long: "key", Arg: "SECRET", Default: "none", Secret: true, Set: flags.Secret(&c.Key),
				Help: "the servers' shared secret, better given as BRAID_KEY; not with plain tcp"},
			{Long: "digest", Arg: "HEX", Default: "none", Set: flags.Digest(&c.Digest),
				Help: "the file's BLAKE3 hash, as b3sum prints it: accept this content and no other"},
			{Long: "overwrite", Set: flags.Switch(&c.Overwrite),
				Help: "replace an existing file of the same name that has other content"},
			{Long: "wait", Arg: "TIME", Default: "10m", Set: flags.Duration(&c.Wait),
				Help: "how long to keep seeking while no server at all answers; 0 gives up at once"},
			{Long: "streams", Arg: "N", Default: "auto", Set: flags.AutoInt(&c.Streams, maxStreams),
				Help: "connections to each server: auto (one, more only while more of them carry more), or 1-16"},
			{Long: "limit", Arg: "SIZE", Default: "none", Set: flags.Size(&c.Limit),
				Help: "cap on the whole download, in bytes a second: 2MB, 1.5MiB, 300kB"},
			{Long: "report", Arg: "FORM", Default: c.Report, Values: forms, Set: flags.Word(&c.Report, forms...),
				Help: "what stdout carries: text, json (one object a line), none"},
			{Long: "progress", Arg: "WHEN", Default: c.Progress, Values: whens, Set: flags.Word(&c.Progress, whens...),
				Help: "the progress bar on stderr: auto (only on a terminal), always, never"},
			{Long: "html", Arg: "FILE", Default: "none", Set: flags.Text(&c.HTML, "the name of a file"),
				Help: "at the end write a page to look at: speeds, who delivered what, events"},
		},
		Examples: []string{
			"braid client -i 2 -o downloads -a 192.168.1.20 -p 9001-9004",
			"braid client -i 0.5 -o . -a alpha,beta,gamma -p 9001 9002 9003 -r",
			"BRAID_KEY=secret braid client -i 2 -o . -a alpha -p 9001,9002 --transport quic",
		},
		Notes: []string{
			"Every flag can also come from the environment (BRAID_INTERVAL=2, BRAID_PORTS=9001-9004) and from a " +
				"config file (--config or BRAID_CONFIG; lines such as \"interval 2\"). The command line beats the environment " +
				"beats the config file.",
			"-a and -p may be repeated, and their lists are joined; of any other flag the last one holds.",
			"Exit codes: 0 the file is there and verified, 1 other failure, 2 wrong usage, 3 content not as asked for, " +
				"4 local disk, 5 no server answered, 6 refused by every server, 130 interrupted (-r goes on).",
		},
	}
}
