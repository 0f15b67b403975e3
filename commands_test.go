//go:build !windows

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// The commands of README.md and START-HERE.txt are run as they stand there, by a
// shell, in the order in which they stand. Replaced are only the places that the
// reader has and a test has not: see visit.places. A command that is not run is
// in notRun, with the reason.
var notRun = map[string]string{
	"go build .":    "takes longer than all the tests; the step platforms of .ci/run does it",
	"go test ./...": "would run itself; TestReadmeTestCommand holds it to .ci/run",
	"bash .ci/run":  "would run itself",
	"go run github.com/go-task/task/v3/cmd/task@v3.53.1 build": "needs the network",
	"b3sum FILE":  "is a program of others",
	"chmod +x":    "is half a command",
	"mkdir -p":    "is half a command",
	"client demo": "is the demo of README.md, and takes ten seconds; TestStartHere reads it",
	"xattr -d com.apple.quarantine server client": "is a program of macOS",
	// Two words, but no command.
	"client (1).exe": "is the name of a file",
	"other file":     "is a word of the reports",
}

// extras is what a command needs before it can be run, or shows after it, beyond
// what holds for all: see visit.obey.
var extras = map[string]struct{ before, after func(*visit, string) }{
	"braid server -i 2 -n 3 -f video.avi -p 9001-9003":                                         {after: (*visit).typeCommands},
	"braid server -i 2 -n 3 -f video.avi -p 9001-9003 --limit 1MB,500kB,250kB":                 {after: (*visit).watchOneFall},
	"braid server -i 2 -n 3 -f video.avi -p 9001-9003 --metrics 127.0.0.1:9100":                {after: (*visit).lookAtMetrics},
	"braid client -i 2 -o downloads -a 192.168.1.20 -p 9001-9003 -r":                           {before: (*visit).interrupt, after: (*visit).hasResumed},
	"server -i 2 -n 4 -f video.mp4 -p 9001-9004":                                               {after: (*visit).typeCommands},
	"client -i 2 -o downloads -a 192.168.1.20 -p 9001-9004 -r":                                 {before: (*visit).interrupt, after: (*visit).hasResumed},
	"client -i 2 -o downloads -a 192.168.1.20 -p 9001-9004 --html report.html":                 {after: (*visit).hasPage},
	"braid client -i 2 -o downloads -a 192.168.1.20 -p 9001-9003 --report json":                {after: (*visit).isJSON},
	"BRAID_KEY=… braid client -i 2 -o downloads -a 192.168.1.20 -p 9001-9003 --transport quic": {after: (*visit).needsKey},
}

// chapter is a part of a document, with its commands.
type chapter struct {
	name     string
	commands []string
	printed  []string // lines that the document says were printed
}

// What stands in a block and is no command: lines that braid has printed.
var printedLine = regexp.MustCompile(`^(\* |Server \d+[: ]|Total: |Saved |resumed: |…$)`)

// readmeChapters cuts README.md at its headings. A command is a line of a block that
// nobody has printed, or two words or more in backticks that begin with a letter.
func readmeChapters(t *testing.T) []chapter {
	t.Helper()
	span := regexp.MustCompile("`([a-z][^`]*\\s[^`]*)`")
	var all []chapter
	for part := range strings.SplitSeq(readText(t, "README.md"), "\n#") {
		name, text, _ := strings.Cut(part, "\n")
		c := chapter{name: strings.TrimLeft(name, "# ")}
		for paragraph := range strings.SplitSeq(text, "\n\n") {
			if !strings.HasPrefix(paragraph, "    ") {
				for _, found := range span.FindAllStringSubmatch(paragraph, -1) {
					c.commands = append(c.commands, strings.Join(strings.Fields(found[1]), " "))
				}
				continue
			}
			if strings.HasPrefix(paragraph, "    {") {
				continue // TestReadmeResult
			}
			for line := range strings.Lines(paragraph) {
				line = strings.TrimSpace(line)
				if command, ok := strings.CutPrefix(line, "$ "); ok {
					c.commands = append(c.commands, command)
				} else if printedLine.MatchString(line) {
					c.printed = append(c.printed, line)
				} else if line != "" {
					c.commands = append(c.commands, line)
				}
			}
		}
		all = append(all, c)
	}
	return all
}

// startHereChapters cuts START-HERE.txt at its headings. A command is a line that is
// set in by four blanks, or by twelve below the name of a system.
func startHereChapters(t *testing.T) []chapter {
	t.Helper()
	var all []chapter
	text := readText(t, filepath.Join("dist-files", "START-HERE.txt"))
	heading := regexp.MustCompile(`(?m)^([A-Z].*)\n[=-]+$`)
	heads := heading.FindAllStringSubmatchIndex(text, -1)
	for i, head := range heads {
		end := len(text)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		c := chapter{name: text[head[2]:head[3]]}
		for _, found := range regexp.MustCompile(`(?m)^(?: {4}| {12})(\S.*)$`).FindAllStringSubmatch(text[head[1]:end], -1) {
			c.commands = append(c.commands, found[1])
		}
		all = append(all, c)
	}
	return all
}

func TestDocumentCommands(t *testing.T) {
	t.Parallel()
	seen, shapes := map[string]bool{}, &shapeSet{}
	video := filepath.Join(t.TempDir(), "video")
	if _, err := makeVideo(video); err != nil {
		t.Fatal(err)
	}
	var printed []string
	ran := map[string]int{}
	t.Run("chapters", func(t *testing.T) {
		for document, chapters := range map[string][]chapter{"README.md": readmeChapters(t), "START-HERE.txt": startHereChapters(t)} {
			for _, c := range chapters {
				printed = append(printed, c.printed...)
				var commands []string
				for _, command := range c.commands {
					seen[command] = true
					if notRun[command] == "" {
						commands = append(commands, command)
						ran[document]++
					}
				}
				if commands == nil {
					continue
				}
				t.Run(document+"/"+c.name, func(t *testing.T) {
					t.Parallel()
					v := newVisit(t, document, video, shapes)
					for _, command := range commands {
						v.obey(command)
					}
					v.quit()
				})
			}
		}
	})
	if ran["README.md"] < 20 || ran["START-HERE.txt"] < 8 {
		t.Errorf("only %v commands were found", ran)
	}
	for command := range notRun {
		if !seen[command] {
			t.Errorf("%q is in notRun, but in no document", command)
		}
	}
	for command := range extras {
		if !seen[command] {
			t.Errorf("%q is in extras, but in no document", command)
		}
	}
	if len(printed) < 30 {
		t.Errorf("only %d lines of README.md are said to have been printed", len(printed))
	}
	for _, line := range printed {
		if line != "…" && !shapes.has(line) {
			t.Errorf("README.md says that this was printed, but no command has printed the like:\n%s", line)
		}
	}
}

// shapeSet is the lines that were printed, whatever numbers are in them.
type shapeSet struct {
	mu    sync.Mutex
	lines map[string]bool
}

// shapeOf leaves numbers out, but for those of a hash.
func shapeOf(line string) string {
	return regexp.MustCompile(`\b\d+(\.\d+)*`).ReplaceAllString(strings.TrimSpace(line), "0")
}

func (s *shapeSet) add(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lines == nil {
		s.lines = map[string]bool{}
	}
	s.lines[shapeOf(line)] = true
}

func (s *shapeSet) has(line string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lines[shapeOf(line)]
}

// visit is a reader in a folder, who types what a chapter says. The folder is
// home, temporary folder and the drives of Windows as well.
type visit struct {
	t       *testing.T
	folder  string
	shapes  *shapeSet
	places  []string // old, new, old, new, …
	usual   string   // command of the servers that a chapter with clients alone means
	video   string   // what they serve
	servers *program // running, or nil
	console io.WriteCloser
	drained chan struct{} // closed when servers print no more
}

// newVisit begins a visit to a document, which is about the video at that path.
func newVisit(t *testing.T, document, video string, shapes *shapeSet) *visit {
	t.Helper()
	v := &visit{t: t, folder: t.TempDir(), shapes: shapes}
	v.usual = map[string]string{
		"README.md":      "braid server -i 2 -n 3 -f video.avi -p 9001-9003",
		"START-HERE.txt": "server -i 2 -n 4 -f video.mp4 -p 9001-9004",
	}[document]
	v.video = strings.Fields(v.usual[strings.Index(v.usual, "-f "):])[1]
	for _, name := range []string{"server", "client"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range []string{name, name + ".exe"} {
			if err := os.Symlink(path, filepath.Join(v.folder, link)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Link(video, v.path(v.video)); err != nil {
		t.Fatal(err)
	}
	v.places = []string{
		"go run . ", "braid ", // from this folder
		`E:\windows-amd64\`, "./", `D:\`, "./",
		"192.168.1.20", "127.0.0.1",
		"alpha,beta,gamma", "127.0.0.1,localhost,127.0.0.1",
		"BRAID_KEY=…", "BRAID_KEY=TWENTYSIXCHARACTERSATLEAST",
	}
	ports := freePortsOf(t, 5)
	for i, port := range []string{"9001", "9002", "9003", "9004", "9100"} {
		v.places = append(v.places, port, fmt.Sprint(ports[i]))
	}
	return v
}

func (v *visit) path(name string) string { return filepath.Join(v.folder, name) }

// here puts the places of this visit into a command.
func (v *visit) here(command string) string {
	return strings.NewReplacer(v.places...).Replace(command)
}

// shell prepares a shell for a command, with nothing of braid in its environment.
func (v *visit) shell(command string) *exec.Cmd {
	v.t.Helper()
	// In its own folder a program is named as START-HERE.txt says.
	command = regexp.MustCompile(`^(server|client) `).ReplaceAllString(v.here(command), "./$1 ")
	// The shell gives way to the program, which is to get the signals.
	command = regexp.MustCompile(`^((?:[A-Z_]+=\S* )*)`).ReplaceAllString(command, "${1}exec ")
	if e := regexp.MustCompile(`^((?:[A-Z_]+=\S* )+)exec `).FindStringSubmatch(command); e != nil {
		command = "export " + e[1] + "; " + strings.TrimPrefix(command, e[1])
	}
	cmd := exec.CommandContext(v.t.Context(), "sh", "-c", command)
	cmd.Dir = v.folder
	cmd.Env = append(plainEnvironment(), "HOME="+v.folder, "TMPDIR="+v.folder, "PROFILE="+v.path("profile.ps1"),
		"GORACE=atexit_sleep_ms=0", "BRAID_BIND=127.0.0.1")
	return cmd
}

// obey runs a command: servers are left running until the next ones are asked for; a
// client finds servers; everything else ends with exit code 0 and has printed something.
func (v *visit) obey(command string) {
	v.t.Helper()
	extra := extras[command]
	serving := regexp.MustCompile(`(^| |\\)(braid server|server|server\.exe) -i `).MatchString(command)
	downloading := regexp.MustCompile(`(^| |\\)(braid client|client|client\.exe) -i `).MatchString(command)
	switch first, _, _ := strings.Cut(v.here(command), " "); {
	case serving, downloading:
	case first == "braid", first == "client", first == "server", first == "chmod":
	default:
		v.t.Fatalf("%q: a command that this test does not know; it must be run, or be in notRun with the reason", command)
	}
	if downloading && v.servers == nil {
		v.serve(v.usual)
	}
	if extra.before != nil {
		extra.before(v, command)
	} else if downloading {
		v.forget()
	}
	if folder := regexp.MustCompile(`> ?~/(\S+)/`).FindStringSubmatch(command); folder != nil {
		if err := os.MkdirAll(v.path(folder[1]), 0o777); err != nil { // as README.md says
			v.t.Fatal(err)
		}
	}
	out := ""
	if serving {
		v.serve(command)
	} else {
		out = v.run(command)
	}
	if target := regexp.MustCompile(`>>? ?(\S+)$`).FindStringSubmatch(command); target != nil {
		out = readText(v.t, strings.NewReplacer("~", v.folder, "$PROFILE", v.path("profile.ps1")).Replace(target[1]))
	}
	if out == "" && !serving && !strings.HasPrefix(command, "chmod ") {
		v.t.Errorf("%s: nothing was printed", command)
	}
	if downloading {
		v.complete(command)
	}
	if extra.after != nil {
		extra.after(v, out)
	}
}

// run runs a command to its end, and returns what it has printed.
func (v *visit) run(command string) string {
	v.t.Helper()
	b, err := v.shell(command).CombinedOutput()
	if err != nil {
		v.t.Errorf("%s: %v\n%s", command, err, b)
	}
	for line := range strings.Lines(string(b)) {
		v.printed(line)
	}
	return string(b)
}

func (v *visit) printed(line string) {
	v.shapes.add(strings.ReplaceAll(line, v.folder, "/tmp"))
}

// start is run, without waiting for the end.
func (v *visit) start(command string) program { return startCommand(v.t, v.shell(command)) }

// serve starts servers and waits until all are alive.
func (v *visit) serve(command string) {
	v.t.Helper()
	v.quit()
	cmd := v.shell(command)
	console, err := cmd.StdinPipe()
	if err != nil {
		v.t.Fatal(err)
	}
	servers := startCommand(v.t, cmd)
	v.servers, v.console, v.drained = &servers, console, make(chan struct{})
	if strings.Contains(command, "--report json") {
		v.servers.until(v.t, `"type":"status"`)
	} else {
		last := regexp.MustCompile(` -n (\d+) `).FindStringSubmatch(command)[1]
		v.servers.until(v.t, "Status: alive, To Shutdown Server "+last+" Enter: E"+last)
	}
	go func() {
		defer close(v.drained)
		for v.servers.lines.Scan() {
			v.printed(v.servers.lines.Text())
		}
	}()
}

func (v *visit) typeLine(line string) {
	v.t.Helper()
	if _, err := io.WriteString(v.console, line+"\n"); err != nil {
		v.t.Error(err)
	}
}

// quit types Q at the servers.
func (v *visit) quit() {
	v.t.Helper()
	if v.servers == nil {
		return
	}
	v.typeLine("Q")
	<-v.drained
	if code := v.servers.end(v.t); code != codeDone {
		v.t.Errorf("the servers: exit code %d", code)
	}
	v.servers = nil
}

// complete fails unless the video has been downloaded, and nothing else.
func (v *visit) complete(command string) {
	v.t.Helper()
	want, _ := os.ReadFile(v.path(v.video))
	got, err := os.ReadFile(v.path("downloads/" + v.video))
	if err != nil || !bytes.Equal(got, want) || len(want) == 0 {
		v.t.Errorf("%s: %d bytes, %v, want %d", command, len(got), err, len(want))
	}
	if left, _ := os.ReadDir(v.path("downloads")); len(left) != 1 {
		v.t.Errorf("%s: left in the folder: %v", command, left)
	}
}

// forget removes what has been downloaded.
func (v *visit) forget() {
	v.t.Helper()
	if err := os.RemoveAll(v.path("downloads")); err != nil {
		v.t.Error(err)
	}
}

// interrupt stops the download that a command with -r goes on with.
func (v *visit) interrupt(command string) {
	v.t.Helper()
	v.forget()
	p := v.start("BRAID_LIMIT=3MB " + strings.Replace(strings.TrimSuffix(command, " -r"), "-i 2", "-i 0.1", 1))
	for p.lines.Scan() && !regexp.MustCompile(`^Total: [1-9]`).MatchString(p.lines.Text()) {
	}
	p.signal(v.t, syscall.SIGINT)
	p.until(v.t, "-r goes on from there")
	if code := p.end(v.t); code != codeInterrupted {
		v.t.Errorf("the interrupted client: exit code %d", code)
	}
}

func (v *visit) hasResumed(out string) {
	if !regexp.MustCompile(`(?m)^resumed: [1-9]`).MatchString(out) {
		v.t.Errorf("nothing was resumed:\n%s", out)
	}
}

// typeCommands types what both documents say of the console.
func (v *visit) typeCommands(string) {
	v.typeLine("E2")
	v.typeLine("S2")
}

// watchOneFall downloads from the servers and shuts one down on the way.
func (v *visit) watchOneFall(string) {
	command := "braid client -i 2 -o downloads -a 192.168.1.20 -p 9001-9003"
	v.forget()
	p := v.start(command)
	for p.lines.Scan() {
		v.printed(p.lines.Text())
		if regexp.MustCompile(`^Total: [1-9]`).MatchString(p.lines.Text()) {
			break
		}
	}
	v.typeLine("E2")
	for p.lines.Scan() {
		v.printed(p.lines.Text())
	}
	if code := p.end(v.t); code != codeDone {
		v.t.Errorf("%s: exit code %d", command, code)
	}
	v.complete(command)
}

func (v *visit) lookAtMetrics(string) {
	for path, want := range map[string]string{"/metrics": "\nbraid_", "/healthz": ""} {
		answer, err := http.Get("http://" + v.here("127.0.0.1:9100") + path)
		if err != nil {
			v.t.Error(err)
			continue
		}
		b, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(b), want) {
			v.t.Errorf("%s: %s, %v: %s", path, answer.Status, err, b)
		}
	}
}

func (v *visit) hasPage(string) {
	page := readText(v.t, v.path("report.html"))
	if !strings.HasPrefix(page, "<!DOCTYPE html>") || !strings.Contains(page, "video.mp4") {
		v.t.Errorf("report.html is no page of the download: %.200s", page)
	}
}

func (v *visit) isJSON(out string) {
	objects := 0
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "{") && json.Valid([]byte(line)) {
			objects++
		}
	}
	if objects < 2 {
		v.t.Errorf("%d objects, want a progress and a result:\n%s", objects, out)
	}
}

// needsKey holds that the servers which have just been used turn away who has no key.
func (v *visit) needsKey(string) {
	v.forget()
	p := v.start("braid client -i 2 -o downloads -a 192.168.1.20 -p 9001-9003 --transport quic")
	p.until(v.t, "braid: ")
	if code := p.end(v.t); code != codeRefused {
		v.t.Errorf("without a key: exit code %d, want %d", code, codeRefused)
	}
}
