package flags

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// values is what the flags of the test's set were read into.
type values struct {
	interval time.Duration
	ports    []int
	files    []string
	count    int
	resume   bool
	key      string
}

// testSet is a table with a flag of every kind.
func testSet(v *values) *Set {
	return &Set{
		Name:    "braid test",
		Summary: "Test the flags.",
		Flags: []Flag{
			{Long: "interval", Short: "i", Arg: "SECONDS", Required: true, Help: "seconds between blocks", Set: Interval(&v.interval)},
			{Long: "ports", Short: "p", Arg: "PORTS", List: true, Words: true, Help: "the ports", Set: Ports(&v.ports, true)},
			{Long: "file", Short: "f", Arg: "FILE", List: true, Help: "the files", Set: List(&v.files, nil)},
			{Long: "max-conns", Arg: "N", Default: "1024", Help: "connections at once", Set: Int(&v.count, 1, 4096)},
			{Long: "resume", Short: "r", Help: "go on", Set: Switch(&v.resume)},
			{Long: "key", Arg: "SECRET", Secret: true, Help: "a secret", Set: Secret(&v.key)},
		},
		Examples: []string{"braid test -i 2"},
		Notes:    []string{"A note."},
	}
}

// config writes a config file and returns its path.
func config(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestParse(t *testing.T) {
	for _, test := range []struct {
		name string
		args string
		want values
	}{
		{"short", "-i 2 -p 9001", values{interval: 2 * time.Second, ports: []int{9001}}},
		{"long", "--interval 0.5 --ports 9001", values{interval: 500 * time.Millisecond, ports: []int{9001}}},
		{"equals", "--interval=500ms -p=9001", values{interval: 500 * time.Millisecond, ports: []int{9001}}},
		{"one dash, two dashes", "-interval 2 --p 9001", values{interval: 2 * time.Second, ports: []int{9001}}},
		{"attached", "-i2 -p9001-9002", values{interval: 2 * time.Second, ports: []int{9001, 9002}}},
		{"a word attached", "-i2 -fvideo.mp4 -f[::1] -fé=1 -f.. --key -fx", values{interval: 2 * time.Second, files: []string{"video.mp4", "[::1]", "é=1", ".."}, key: "-fx"}},
		{"words first", "-p 9001 9002 9003 -i 2 -r", values{interval: 2 * time.Second, ports: []int{9001, 9002, 9003}, resume: true}},
		{"words last", "-i 2 -r -p 9001 9002 9003", values{interval: 2 * time.Second, ports: []int{9001, 9002, 9003}, resume: true}},
		{"words after equals", "--ports=9001 9002 -i 2", values{interval: 2 * time.Second, ports: []int{9001, 9002}}},
		{"words with commas between", "-p 9001, 9002 ,9003 -i 2", values{interval: 2 * time.Second, ports: []int{9001, 9002, 9003}}},
		{"words up to --", "-i 2 -p 9001 9002 --", values{interval: 2 * time.Second, ports: []int{9001, 9002}}},
		{"mix", "-p 9001,9003-9005 9010 -i 2 --ports 9020", values{interval: 2 * time.Second, ports: []int{9001, 9003, 9004, 9005, 9010, 9020}}},
		{"lists append", "-i 2 -f a,b --file c", values{interval: 2 * time.Second, files: []string{"a", "b", "c"}}},
		{"last scalar holds", "-i abc --interval 3 -i 2", values{interval: 2 * time.Second}},
		{"switch off", "-i 2 -r --resume=false", values{interval: 2 * time.Second}},
		{"value with a dash", "-i 2 --key -secret -f -dash", values{interval: 2 * time.Second, key: "-secret", files: []string{"-dash"}}},
		{"value with an equals sign", "-i 2 --key=a=b", values{interval: 2 * time.Second, key: "a=b"}},
		{"value that looks like a flag", "-i 2 --key=--ports", values{interval: 2 * time.Second, key: "--ports"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got values
			if err := testSet(&got).Parse(strings.Fields(test.args)); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("Parse(%s) = %+v, want %+v", test.args, got, test.want)
			}
		})
	}
}

// TestErrors holds the whole text of the errors, since a person has to read them.
func TestErrors(t *testing.T) {
	const help = "; braid test --help lists the flags"
	for _, test := range []struct{ args, want string }{
		{"", "--interval/-i: required but not given, want -i SECONDS (seconds between blocks)"},
		{"-i -1", `--interval/-i: "-1": want a time above 0: seconds such as 2 or 0.5, or 500ms, 1m`},
		{"-i", "--interval/-i: needs a value, SECONDS (one that begins with a dash is given as --interval=VALUE)"},
		{"-i -p 9001", "--interval/-i: needs a value, SECONDS (one that begins with a dash is given as --interval=VALUE)"},
		{"-i --", "--interval/-i: needs a value, SECONDS (one that begins with a dash is given as --interval=VALUE)"},
		{"-i 2 -r yes", `"yes": stray word, every value follows a flag and --resume/-r takes none` + help},
		{"-i 2 -r=yes", `--resume/-r: "yes": want true or false`},
		{"-i 2 stray", `"stray": stray word, every value follows a flag` + help},
		{"-f a b", `"b": stray word, every value follows a flag; several values of --file/-f are given with commas` + help},
		{"-i 2 -", `"-": stray word, every value follows a flag` + help},
		{"-i 2 -- 3", `"3": stray word, after -- there is nothing to be given` + help},
		{"-i 2 --prots 9001", `"--prots": unknown flag, did you mean --ports/-p?` + help},
		{"-i 2 -port 9001", `"-port": unknown flag, did you mean --ports/-p?` + help},
		{"-i 2 -prots", `"-prots": unknown flag, did you mean --ports/-p?` + help},
		{"-i 2 -port=9001", `"-port": unknown flag, did you mean --ports/-p?` + help},
		{"-i 2 -pnine", `--ports/-p: "nine": "nine" is no port, want ports from 1 to 65535 such as 9001,9002 or 9001-9004`},
		{"-i 2 -ry", `"-ry": unknown flag` + help},
		{"-i 2 --fx", `"--fx": unknown flag` + help},
		{"-i 2 --conns=3", `"--conns": unknown flag` + help},
		{"-i 2 -x", `"-x": unknown flag` + help},
		{"-i 2 ---interval 2", `"---interval": unknown flag, did you mean --interval/-i?` + help},
		{"-i 2 -p -1", `--ports/-p: "-1": "-1" is no port, want ports from 1 to 65535 such as 9001,9002 or 9001-9004`},
		{"-i 2 -p 9001 9001", `--ports/-p: "9001 9001": port 9001 is given twice, want each port once`},
		{"-i 2 -p 9001 -p 9000-9002", `--ports/-p: "9001,9000-9002": port 9001 is given twice, want each port once`},
		{"-i 2 --config=", `--config: "": empty, want the name of a file`},
		{"-i 2 --config x.conf --config=", `--config: "": empty, want the name of a file`},
		{"-i 2 --max-conns 0", `--max-conns: "0": want a whole number from 1 to 4096`},
	} {
		var v values
		err := testSet(&v).Parse(strings.Fields(test.args))
		var e *Error
		if !errors.As(err, &e) || e.Error() != test.want {
			t.Errorf("Parse(%s):\n got %v\nwant %s", test.args, err, test.want)
		}
	}
}

// TestPrecedence crosses the spellings of the command line with the other sources.
func TestPrecedence(t *testing.T) {
	path := config(t, "interval 30\nports 9030\nmax-conns 30\n")
	for _, test := range []struct {
		name   string
		args   string
		env    map[string]string
		second int
		ports  []int
		conns  int
	}{
		{"config alone", "", nil, 30, []int{9030}, 30},
		{"environment beats config", "", map[string]string{"BRAID_INTERVAL": "20", "BRAID_PORTS": "9020 9021", "BRAID_MAX_CONNS": "20"}, 20, []int{9020, 9021}, 20},
		{"short beats both", "-i 10 -p 9010", map[string]string{"BRAID_INTERVAL": "20", "BRAID_PORTS": "9020"}, 10, []int{9010}, 30},
		{"long beats both", "--interval 10 --ports 9010", map[string]string{"BRAID_INTERVAL": "20", "BRAID_PORTS": "9020"}, 10, []int{9010}, 30},
		{"attached beats both", "-i10 -p9010", map[string]string{"BRAID_INTERVAL": "20", "BRAID_PORTS": "9020"}, 10, []int{9010}, 30},
		{"short beats config", "-i 10 -p 9010", nil, 10, []int{9010}, 30},
		{"empty environment is none", "", map[string]string{"BRAID_INTERVAL": ""}, 30, []int{9030}, 30},
		{"a bad value that is beaten", "-i 10", map[string]string{"BRAID_INTERVAL": "x"}, 10, []int{9030}, 30},
	} {
		for _, via := range []string{"flag", "environment"} {
			t.Run(test.name+" via "+via, func(t *testing.T) {
				args := strings.Fields(test.args)
				if via == "flag" {
					args = append(args, "--config", path)
				} else {
					t.Setenv("BRAID_CONFIG", path)
				}
				for k, v := range test.env {
					t.Setenv(k, v)
				}
				var got values
				if err := testSet(&got).Parse(args); err != nil {
					t.Fatal(err)
				}
				want := values{interval: time.Duration(test.second) * time.Second, ports: test.ports, count: test.conns}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v, want %+v", got, want)
				}
			})
		}
	}
}

func TestConfigFile(t *testing.T) {
	path := config(t, "\ufeff# a comment\r\ninterval   2 # two seconds\r\n\r\n  ports\t9001 9002,9003\r\nports 9004\r\nresume\nkey a#b\nmax-conns 7\nmax-conns 8")
	var got values
	if err := testSet(&got).Parse([]string{"--config=nothing.conf", "--config", path}); err != nil {
		t.Fatal(err)
	}
	want := values{interval: 2 * time.Second, ports: []int{9001, 9002, 9003, 9004}, resume: true, key: "a#b", count: 8}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestConfigFileErrors(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"interval 2\nintervall 3", `file PATH line 2: "intervall": unknown name, want lines of "long-name value" such as "interval 2"; did you mean interval?`},
		{"interval=2", `file PATH line 1: "interval=": unknown name, want lines of "long-name value" such as "interval 2"; did you mean interval?`},
		{"BRAID_INTERVAL 2", `file PATH line 1: "BRAID_INTERVAL": unknown name, want lines of "long-name value" such as "interval 2"`},
		{"i 2", `file PATH line 1: "i": short names are not read from a config file, write interval`},
		{"interval", `file PATH line 1: "interval": needs a value: interval SECONDS`},
		{"config other.conf", `file PATH line 1: "config": belongs on the command line, not into a config file`},
		{"help", `file PATH line 1: "help": belongs on the command line, not into a config file`},
		{"\ninterval -3", `--interval/-i (from file PATH line 2): "-3": want a time above 0: seconds such as 2 or 0.5, or 500ms, 1m`},
		{"interval 2\nresume maybe", `--resume/-r (from file PATH line 2): "maybe": want true or false`},
		{strings.Repeat("x", maxConfigLine+1), `--config: "PATH": has a line of more than 1048576 bytes, want lines of "long-name value"`},
	} {
		path := config(t, test.text)
		var v values
		err := testSet(&v).Parse([]string{"--config", path})
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%.40q: got %v, want an *Error", test.text, err)
			continue
		}
		want := strings.ReplaceAll(test.want, `"PATH"`, quote(path))
		if want = strings.ReplaceAll(want, "PATH", path); e.Error() != want {
			t.Errorf("%.40q:\n got %s\nwant %s", test.text, e, want)
		}
	}
}

func TestConfigFileThatCannotBeRead(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "x.conf")
	var v values
	err := testSet(&v).Parse([]string{"-i", "2", "--config", missing})
	const want = "), want a file that is there and readable"
	if err == nil || !strings.HasPrefix(err.Error(), "--config: "+quote(missing)+": cannot be read (") || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("missing file: got %v", err)
	}
	t.Setenv("BRAID_CONFIG", t.TempDir())
	err = testSet(&v).Parse([]string{"-i", "2"})
	if err == nil || !strings.HasPrefix(err.Error(), "--config (from BRAID_CONFIG): ") || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("folder: got %v", err)
	}
}

func TestErrorNamesTheEnvironment(t *testing.T) {
	t.Setenv("BRAID_MAX_CONNS", "many")
	var v values
	err := testSet(&v).Parse([]string{"-i", "2"})
	const want = `--max-conns (from BRAID_MAX_CONNS): "many": want a whole number from 1 to 4096`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestErrorKeepsSecrets(t *testing.T) {
	var v values
	set := testSet(&v)
	if err := set.Parse([]string{"-i", "2", "--key", "hunter2"}); err != nil {
		t.Fatal(err)
	}
	if got := set.Errorf("key", "is of no use").Error(); got != "--key: is of no use" {
		t.Errorf("got %q", got)
	}
	conf := config(t, "--key=hunter2")
	for args, want := range map[string]string{
		"--key my hunter2":   "--key: a stray word follows its value, want one word; blanks in it go into quotes",
		"--key=my hunter2":   "--key: a stray word follows its value, want one word; blanks in it go into quotes",
		"--kye=hunter2":      `"--kye": unknown flag, did you mean --key?; braid test --help lists the flags`,
		"--password=hunter2": `"--password": unknown flag; braid test --help lists the flags`,
		"--config=" + conf:   "file " + conf + ` line 1: "--key=": unknown name, want lines of "long-name value" such as "interval 2"; did you mean key?`,
	} {
		if err := set.Parse(append(strings.Fields(args), "-i", "2")); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", args, err, want)
		}
	}
}

// A word that is nothing, as "$port" may be, does not vanish between the others.
func TestEmptyWords(t *testing.T) {
	const want = `--ports/-p: "": empty word in the list, want values with commas or blanks between them`
	for _, args := range [][]string{{"-p", "9001", ""}, {"-p", "", "9001"}, {"-p=", "9001"}, {"-p", "9001", " ", "9002"}} {
		var v values
		if err := testSet(&v).Parse(append(args, "-i", "2")); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", args, err, want)
		}
	}
}

func TestCheckKey(t *testing.T) {
	var v values
	set := testSet(&v)
	if err := set.Parse(strings.Fields("-i 2 --key hunter2")); err != nil {
		t.Fatal(err)
	}
	for transport, want := range map[string]string{
		"tcp":      "--key: with --transport tcp it would protect nothing, want tls or quic (or no key)",
		"tcp+zstd": "--key: with --transport tcp+zstd it would protect nothing, want tls or quic (or no key)",
		"tls":      "", "quic": "", "quic+zstd": "",
	} {
		if err := set.CheckKey(v.key, transport); (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%s: got %v, want %s", transport, err, want)
		}
		if err := set.CheckKey("", transport); err != nil {
			t.Errorf("%s without a key: %v", transport, err)
		}
	}
}

func TestErrorIsShort(t *testing.T) {
	var v values
	err := testSet(&v).Parse([]string{"-i", strings.Repeat("é\n", 4000)})
	if err == nil || len(err.Error()) > 600 || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

func TestOnCommandLine(t *testing.T) {
	t.Setenv("BRAID_KEY", "a")
	for _, args := range []string{"-i 2", "-i 2 --key b"} {
		var v values
		set := testSet(&v)
		if err := set.Parse(strings.Fields(args)); err != nil {
			t.Fatal(err)
		}
		if got, want := set.OnCommandLine("key"), v.key == "b"; got != want {
			t.Errorf("%s: got %v", args, got)
		}
	}
}

func TestHelp(t *testing.T) {
	const want = `Usage: braid test -i SECONDS [flags]

Test the flags.

Required:
  -i, --interval SECONDS      seconds between blocks

Optional:
  -p, --ports PORTS           the ports
  -f, --file FILE             the files
      --max-conns N           connections at once (default 1024)
  -r, --resume                go on
      --key SECRET            a secret
      --config FILE           read flags from a file with lines of "long-name
                              value"; # begins a comment
  -h, --help                  show this text

Examples:
  braid test -i 2

A note.
`
	// Help is given whatever else is wrong, but a value is no flag.
	for _, args := range []string{"-h", "--help", "-help", "-i -5 --nonsense -h", "-p 9001 9002 --help"} {
		var v values
		err := testSet(&v).Parse(strings.Fields(args))
		var help *ErrHelp
		if !errors.As(err, &help) {
			t.Errorf("%s: got %v, want help", args, err)
		} else if help.Text != want {
			t.Errorf("%s: got\n%s", args, help.Text)
		}
	}
	var v values
	if err := testSet(&v).Parse(strings.Fields("-i 2 --key=-h")); err != nil || v.key != "-h" {
		t.Errorf("got key %q, error %v", v.key, err)
	}
}

func TestUsageFitsTheTerminal(t *testing.T) {
	var v values
	set := testSet(&v)
	set.Flags[1].Help = strings.Repeat("words and words ", 40)
	set.Flags[3].Arg = "A-NAME-THAT-IS-TOO-LONG-FOR-ITS-COLUMN"
	for _, line := range strings.Split(set.Usage(), "\n") {
		if len(line) > usageWidth {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}
