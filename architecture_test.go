package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// rooms says which of the house's packages each of them may import; "." is the
// main package. A new folder needs a row here, and a place in
// docs/design-notes.md.
var rooms = map[string][]string{
	".":         {"client", "server", "flags", "report", "segment", "transport"},
	"client":    {"wire", "segment", "balance", "transport", "report", "flags"},
	"server":    {"wire", "segment", "transport", "report", "flags"},
	"wire":      {"segment"},
	"transport": {},
	"segment":   {},
	"balance":   {},
	"report":    {},
	"flags":     {},
	// The suite that every transport passes, and nothing but tests imports.
	"transport/transporttest": {"transport"},
	"bench":                   {}, // a program of its own, which sees braid from outside
}

// junkDrawers are names that say nothing of what is inside.
var junkDrawers = []string{"util", "utils", "common", "helper", "helpers", "type", "types", "misc", "shared", "lib"}

func TestRooms(t *testing.T) {
	source, err := parseSource(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range roomFaults(source, rooms) {
		t.Error(fault)
	}
}

func TestRoomsCanFail(t *testing.T) {
	table := map[string][]string{".": {"upper"}, "upper": {"lower"}, "lower": {}, "util": {}, "gone": {}}
	for _, c := range []struct {
		what string
		file string
		text string
		want string // a part of the fault; empty for none
	}{
		{"allowed", "upper/a.go", `package upper; import _ "braid/lower"`, ""},
		{"standard and foreign packages", "lower/a.go", `package lower; import (_ "io"; _ "example.org/braid/upper")`, ""},
		{"in a test", "lower/a_test.go", `package lower; import _ "braid/upper"; func init() {}`, ""},
		{"a method", "lower/a.go", `package lower; type t int; func (t) init() {}`, ""},
		{"upwards", "lower/a.go", `package lower; import _ "braid/upper"`, "lower/a.go: lower must not know upper"},
		{"past a floor", "a.go", `package main; import _ "braid/lower"`, "a.go: . must not know lower"},
		{"only on one system", "lower/a_windows.go", `package lower; import _ "braid/upper"`, "lower/a_windows.go: lower must not know upper"},
		{"a folder that has no row", "attic/a.go", `package attic`, "attic/a.go: folder attic is not in the table"},
		{"below a folder", "lower/deep/a.go", `package deep`, "lower/deep/a.go: folder lower/deep is not in the table"},
		{"a junk drawer", "util/a.go", `package util`, "util/a.go: the name util says nothing"},
		{"init", "lower/a.go", `package lower; func init() {}`, "lower/a.go: func init"},
		{"a row that has no folder", "upper/a.go", `package upper`, "folder gone is in the table and has no Go file"},
	} {
		files := fstest.MapFS{".git/x.go": {}, "testdata/x.go": {}}
		for room := range table {
			if room != "gone" && room != "util" {
				files[path.Join(room, "doc.go")] = &fstest.MapFile{Data: []byte("package x")}
			}
		}
		files[c.file] = &fstest.MapFile{Data: []byte(c.text)}
		source, err := parseSource(files)
		if err != nil {
			t.Fatal(err)
		}
		faults := slices.DeleteFunc(roomFaults(source, table), func(f string) bool {
			return c.what != "a row that has no folder" && strings.Contains(f, "has no Go file")
		})
		found := slices.ContainsFunc(faults, func(f string) bool { return strings.Contains(f, c.want) })
		if c.want == "" && len(faults) > 0 || c.want != "" && !found {
			t.Errorf("%s: got %q, want %q", c.what, faults, c.want)
		}
	}
}

// parseSource parses every Go file, by its path. It leaves out what the Go tool
// leaves out, and heeds no build constraint.
func parseSource(files fs.FS) (map[string]*ast.File, error) {
	source := map[string]*ast.File{}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if base := path.Base(name); name != "." && (base[0] == '.' || base[0] == '_' || base == "testdata") {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		source[name], err = parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
		return err
	})
	return source, err
}

// roomFaults holds source against the table. Tests may know whom they like.
func roomFaults(source map[string]*ast.File, table map[string][]string) []string {
	var faults []string
	seen := map[string]bool{}
	for name, file := range source {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		room := path.Dir(name)
		seen[room] = true
		for _, part := range strings.Split(room, "/") {
			if slices.Contains(junkDrawers, part) {
				faults = append(faults, name+": the name "+part+" says nothing of what is inside")
			}
		}
		allowed, ok := table[room]
		if !ok {
			faults = append(faults, name+": folder "+room+" is not in the table of rooms")
		}
		for _, other := range imports(file) {
			if !slices.Contains(allowed, other) {
				faults = append(faults, name+": "+room+" must not know "+other)
			}
		}
		if slices.ContainsFunc(functions(file), func(f *ast.FuncDecl) bool { return f.Recv == nil && f.Name.Name == "init" }) {
			faults = append(faults, name+": func init is a side effect of an import")
		}
	}
	for room := range table {
		if !seen[room] {
			faults = append(faults, "folder "+room+" is in the table and has no Go file")
		}
	}
	slices.Sort(faults)
	return faults
}

// imports are the rooms that a file imports.
func imports(file *ast.File) []string {
	var names []string
	for _, spec := range file.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			panic(err) // the parser has seen that it is a string
		}
		if name, ok := strings.CutPrefix(name, "braid/"); ok {
			names = append(names, name)
		}
	}
	return names
}

func functions(file *ast.File) []*ast.FuncDecl {
	var all []*ast.FuncDecl
	for _, declared := range file.Decls {
		if f, ok := declared.(*ast.FuncDecl); ok {
			all = append(all, f)
		}
	}
	return all
}

// Git keeps no empty folder, and a fuzz target without a seed passes on
// nothing. That f.Add is really called is for .ci/run to see.
func TestSeeds(t *testing.T) {
	files := os.DirFS(".")
	source, err := parseSource(files)
	if err != nil {
		t.Fatal(err)
	}
	faults, targets := seedFaults(t, files, source)
	for _, fault := range faults {
		t.Error(fault)
	}
	if targets == 0 {
		t.Error("no fuzz target found")
	}
}

func TestSeedsCanFail(t *testing.T) {
	const (
		seeded = `package x; func FuzzA(f *testing.F) { for range 2 { f.Add(1) }; f.Fuzz(nil) }`
		bare   = `package x; func FuzzA(f *testing.F) { f.Fuzz(nil) }`
	)
	text := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	folder := &fstest.MapFile{Mode: fs.ModeDir | 0o777}
	for _, c := range []struct {
		what  string
		files fstest.MapFS
		want  string // a part of the fault; empty for none
	}{
		{"f.Add", fstest.MapFS{"x/a_test.go": text(seeded)}, ""},
		{"a corpus", fstest.MapFS{"x/a_test.go": text(bare), "x/testdata/fuzz/FuzzA/1": text("x")}, ""},
		{"no seed", fstest.MapFS{"x/a_test.go": text(bare)}, "x/a_test.go: FuzzA has no seed"},
		{"the corpus of another", fstest.MapFS{"x/a_test.go": text(bare), "y/testdata/fuzz/FuzzA/1": text("x")}, "FuzzA has no seed"},
		{"a corpus for nobody", fstest.MapFS{"x/a_test.go": text(seeded), "x/testdata/fuzz/FuzzB/1": text("x")}, "x/testdata/fuzz/FuzzB: no such fuzz target"},
		{"an empty corpus", fstest.MapFS{"x/a_test.go": text(seeded), "x/testdata/fuzz/FuzzA": folder}, "x/testdata/fuzz/FuzzA: empty"},
		{"an empty folder", fstest.MapFS{"x/a_test.go": text(seeded), "x/testdata": folder}, "x/testdata: empty"},
		{"an empty file", fstest.MapFS{"x/a_test.go": text(seeded), "x/testdata/vectors.json": text("")}, "x/testdata/vectors.json: empty"},
	} {
		source, err := parseSource(c.files)
		if err != nil {
			t.Fatal(err)
		}
		faults, _ := seedFaults(t, c.files, source)
		if c.want == "" && len(faults) > 0 || c.want != "" && !slices.ContainsFunc(faults, func(f string) bool { return strings.Contains(f, c.want) }) {
			t.Errorf("%s: got %q, want %q", c.what, faults, c.want)
		}
	}
}

// seedFaults finds fuzz targets without a seed, corpora without a target, and
// what is empty in any testdata folder. It counts the targets.
func seedFaults(t *testing.T, files fs.FS, source map[string]*ast.File) (faults []string, targets int) {
	t.Helper()
	corpora := map[string]bool{}
	for name, file := range source {
		for _, f := range functions(file) {
			if !strings.HasSuffix(name, "_test.go") || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Fuzz") {
				continue
			}
			targets++
			corpus := path.Join(path.Dir(name), "testdata", "fuzz", f.Name.Name)
			corpora[corpus] = true
			if seeds, _ := fs.ReadDir(files, corpus); len(seeds) == 0 && !addsSeed(f) {
				faults = append(faults, name+": "+f.Name.Name+" has no seed: neither f.Add nor "+corpus)
			}
		}
	}
	inFuzz := regexp.MustCompile(`(^|/)testdata/fuzz/[^/]+$`)
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && path.Base(name)[0] == '.':
			return fs.SkipDir
		case !slices.Contains(strings.Split(name, "/"), "testdata"):
			return nil
		case inFuzz.MatchString(name) && !corpora[name]:
			faults = append(faults, name+": no such fuzz target")
		}
		if isEmpty(t, files, name, entry) {
			faults = append(faults, name+": empty")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return faults, targets
}

// addsSeed reports whether a fuzz target calls Add on its parameter.
func addsSeed(target *ast.FuncDecl) bool {
	parameters := target.Type.Params.List
	if len(parameters) != 1 || len(parameters[0].Names) != 1 {
		return false
	}
	adds := false
	ast.Inspect(target.Body, func(n ast.Node) bool {
		if called, ok := n.(*ast.SelectorExpr); ok && called.Sel.Name == "Add" {
			x, ok := called.X.(*ast.Ident)
			adds = adds || ok && x.Name == parameters[0].Names[0].Name
		}
		return true
	})
	return adds
}

func isEmpty(t *testing.T, files fs.FS, name string, entry fs.DirEntry) bool {
	t.Helper()
	if entry.IsDir() {
		inside, err := fs.ReadDir(files, name)
		if err != nil {
			t.Fatal(err)
		}
		return len(inside) == 0
	}
	info, err := entry.Info()
	if err != nil {
		t.Fatal(err)
	}
	return info.Size() == 0
}
