package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"braid/client"
	"braid/flags"
	"braid/report"
	"braid/server"
	"braid/transport"
)

func readText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// section is the part of the README below a heading, up to the next one.
func section(t *testing.T, heading string) string {
	t.Helper()
	_, text, ok := strings.Cut(readText(t, "README.md"), "\n"+heading+"\n")
	if !ok {
		t.Fatalf("README.md has no heading %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n#")
	return text
}

// rows are the cells of a section's tables, without backticks and the head.
func rows(t *testing.T, heading string) [][]string {
	t.Helper()
	var all [][]string
	for line := range strings.Lines(strings.ReplaceAll(section(t, heading), "`", "")) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			continue
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		all = append(all, cells)
	}
	if len(all) < 3 || !strings.HasPrefix(all[1][0], "--") {
		t.Fatalf("README.md has no table below %q", heading)
	}
	return all[2:]
}

// The README's flag tables are the usage texts, in another form.
func TestReadmeFlags(t *testing.T) {
	transports := transport.Builtin().Names()
	for heading, parse := range map[string]func() error{
		"### braid server": func() error { _, err := server.ParseFlags([]string{"-h"}, transports); return err },
		"### braid client": func() error { _, err := client.ParseFlags([]string{"-h"}, transports); return err },
	} {
		var help *flags.ErrHelp
		if err := parse(); !errors.As(err, &help) {
			t.Fatalf("%s: %v", heading, err)
		}
		var got []string
		for _, row := range rows(t, heading) {
			got = append(got, strings.Join(row, " | "))
		}
		want := usageRows(t, help.Text)
		if slices.Equal(got, want) {
			continue
		}
		for _, row := range want {
			if !slices.Contains(got, row) {
				t.Errorf("README.md, %s has no row\n| %s |", heading, row)
			}
		}
		for _, row := range got {
			if !slices.Contains(want, row) {
				t.Errorf("README.md, %s has a row that -h has not\n| %s |", heading, row)
			}
		}
		if !t.Failed() {
			t.Errorf("README.md, %s has the rows in another order than -h:\n%s", heading, strings.Join(want, "\n"))
		}
	}
}

// usageRows turns the flags of a usage text into rows: flag, default, meaning.
func usageRows(t *testing.T, text string) []string {
	t.Helper()
	head := regexp.MustCompile(`^ {2}(?: {4}|(-\w, ))(--\S+(?: [A-Z]+)?)(?: {2,}(.*))?$`)
	givenDefault := regexp.MustCompile(`^(.*) \(default ([^()]*)\)$`)
	var all []string
	required, name, meaning := false, "", ""
	end := func() {
		if name == "" {
			return
		}
		standard := "none"
		switch {
		case required:
			standard = "required"
		case givenDefault.MatchString(meaning):
			parts := givenDefault.FindStringSubmatch(meaning)
			meaning, standard = parts[1], parts[2]
		case name == strings.ToLower(name): // it takes no value
			standard = "off"
		}
		all = append(all, name+" | "+standard+" | "+meaning)
		name, meaning = "", ""
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		parts := head.FindStringSubmatch(line)
		switch {
		case line == "Required:":
			required = true
		case line == "Optional:":
			end()
			required = false
		case line == "Examples:":
			end()
			if len(all) < 10 {
				t.Fatalf("only %d flags found in the usage text:\n%s", len(all), text)
			}
			return all
		case parts != nil:
			end()
			name, meaning = parts[1]+parts[2], parts[3]
		case name != "":
			meaning = strings.TrimSpace(meaning + " " + strings.TrimSpace(line))
		}
	}
	t.Fatalf("the usage text has no Examples:\n%s", text)
	return nil
}

func TestReadmeTransports(t *testing.T) {
	var got []string
	for _, row := range rows(t, "## Transports and keys") {
		got = append(got, strings.Split(row[0], ", ")...)
	}
	if want := transport.Builtin().Names(); !slices.Equal(got, want) {
		t.Errorf("README.md has the transports %v, want %v", got, want)
	}
}

func TestReadmeExitCodes(t *testing.T) {
	var got []string
	for _, row := range rows(t, "## Exit codes") {
		got = append(got, row[0])
	}
	var want []string
	for _, code := range []int{codeDone, codeFailure, codeUsage, codeIntegrity, codeDisk, codeNoServer, codeRefused, codeInterrupted} {
		want = append(want, strconv.Itoa(code))
	}
	if !slices.Equal(got, want) {
		t.Errorf("README.md has exit codes %v, want %v", got, want)
	}
}

// Every field that the reports have is in the README.
func TestReadmeJSON(t *testing.T) {
	var lines bytes.Buffer
	download, err := report.NewDownloadWriter("json", &lines)
	if err != nil {
		t.Fatal(err)
	}
	download.Progress(report.Progress{Servers: make([]report.Server, 1)})
	if err := download.Result(report.Result{Servers: make([]report.Server, 1)}); err != nil {
		t.Fatal(err)
	}
	status, err := report.NewStatusWriter("json", &lines)
	if err != nil {
		t.Fatal(err)
	}
	status.Status(make([]report.VirtualServer, 1))

	readme := section(t, "## JSON")
	seen := 0
	for decoder := json.NewDecoder(&lines); decoder.More(); seen++ {
		var object map[string]any
		if err := decoder.Decode(&object); err != nil {
			t.Fatal(err)
		}
		kind := fmt.Sprint(object["type"])
		row := regexp.MustCompile("(?m)^\\| `" + kind + "` .*$").FindString(readme)
		for field := range object {
			if field != "type" && !strings.Contains(row, "`"+field+"`") {
				t.Errorf("README.md has no field %s in the row of %s: %q", field, kind, row)
			}
		}
		servers, ok := object["servers"].([]any)
		if !ok || len(servers) != 1 {
			t.Fatalf("%s has servers %v", kind, object["servers"])
		}
		for field := range servers[0].(map[string]any) {
			if !strings.Contains(readme, "`"+field+"`") {
				t.Errorf("README.md has no field %s of %s servers", field, kind)
			}
		}
	}
	if seen != 3 {
		t.Errorf("%d objects, want 3", seen)
	}
}

// .ci/run runs the README's test command, only stricter.
func TestReadmeTestCommand(t *testing.T) {
	command := regexp.MustCompile(`(?m)^\s+(go test .*)$`)
	told := command.FindAllStringSubmatch(section(t, "## Try it"), -1)
	if len(told) != 1 {
		t.Fatalf("README.md has %d test commands, want 1", len(told))
	}
	want := strings.Replace(told[0][1], "go test", "go test -race -shuffle=on", 1)
	var run []string
	for _, line := range command.FindAllStringSubmatch(readText(t, filepath.Join(".ci", "run")), -1) {
		if strings.Contains(line[1], "./...") {
			run = append(run, line[1])
		}
	}
	if !slices.Equal(run, []string{want}) {
		t.Errorf(".ci/run runs %q, want %q", run, want)
	}
}

// The result that the README shows is one: its fields are those of the schema.
func TestReadmeResult(t *testing.T) {
	shown := regexp.MustCompile(`(?m)^    \{(?:.*\n)(?:     .*\n?)*`).FindString(section(t, "## JSON"))
	var result any
	if err := json.Unmarshal([]byte(shown), &result); err != nil {
		t.Fatalf("README.md shows %q: %v", shown, err)
	}
	s, root := loadSchema(t)
	if wrong := s.check(root, result); wrong != "" {
		t.Errorf("README.md shows a result that is none: %s", wrong)
	}
}

// What comes before the reference is read in five minutes, at the 238 words a minute
// of silent reading (Brysbaert 2019, doi:10.1016/j.jml.2019.104047). What was printed
// is looked at, not read.
func TestReadmeIsShort(t *testing.T) {
	text, _, found := strings.Cut(readText(t, "README.md"), "\n# Reference\n")
	if !found {
		t.Fatal("README.md has no reference")
	}
	words := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "    ") {
			words += len(regexp.MustCompile(`[\pL\pN][^\s|]*`).FindAllString(line, -1))
		}
	}
	if words > 5*238 || words < 500 {
		t.Errorf("%d words before the reference, want at most %d", words, 5*238)
	}
	t.Logf("%d words", words)
}

// What the documents point at is there.
func TestDocumentLinks(t *testing.T) {
	documents, err := filepath.Glob(filepath.Join("docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)]*)?\)`)
	local := 0
	for _, document := range append(documents, "README.md", "CONTRIBUTING.md", "CHANGELOG.md") {
		for _, found := range link.FindAllStringSubmatch(readText(t, document), -1) {
			if strings.Contains(found[1], "://") {
				continue
			}
			local++
			target := filepath.Join(filepath.Dir(document), filepath.FromSlash(found[1]))
			if info, err := os.Stat(target); err != nil || !info.IsDir() && info.Size() == 0 {
				t.Errorf("%s points at %s, which is not there or empty", document, found[1])
			}
		}
	}
	if local < 3 {
		t.Errorf("%d links found, want 3 at least", local)
	}
}
