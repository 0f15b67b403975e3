package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"braid/client"
	"braid/server"
	"braid/transport"
)

// schema checks JSON values against docs/report.schema.json. It knows the words
// of JSON Schema that are used there, and refuses any other.
type schema struct {
	defs map[string]any
}

func loadSchema(t *testing.T) (s schema, root map[string]any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("docs", "report.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &root); err != nil {
		t.Fatal(err)
	}
	return schema{root["$defs"].(map[string]any)}, root
}

// check returns what is wrong with v, the empty string when nothing is.
func (s schema) check(rule map[string]any, v any) string {
	for word, arg := range rule {
		if wrong := s.word(rule, word, arg, v); wrong != "" {
			return wrong
		}
	}
	return ""
}

// word is check for one word of the rule and its argument.
func (s schema) word(rule map[string]any, word string, arg, v any) string {
	number, isNumber := v.(float64)
	text, isText := v.(string)
	object, _ := v.(map[string]any)
	list, _ := v.([]any)
	ok := true
	switch word {
	case "$schema", "$defs", "title", "description":
	case "$ref":
		return s.check(s.defs[strings.TrimPrefix(arg.(string), "#/$defs/")].(map[string]any), v)
	case "oneOf":
		fits := 0
		var wrong []string
		for _, r := range arg.([]any) {
			w := s.check(r.(map[string]any), v)
			if w == "" {
				fits++
			}
			wrong = append(wrong, w)
		}
		if fits != 1 {
			return fmt.Sprintf("%d of oneOf fit (%s)", fits, strings.Join(wrong, "; "))
		}
	case "type":
		ok = isOfType(arg.(string), v)
	case "const":
		ok = v == arg
	case "enum":
		ok = false
		for _, one := range arg.([]any) {
			ok = ok || v == one
		}
	case "minimum":
		ok = isNumber && number >= arg.(float64)
	case "maximum":
		ok = isNumber && number <= arg.(float64)
	case "pattern":
		ok = isText && regexp.MustCompile(arg.(string)).MatchString(text)
	case "items":
		for _, item := range list {
			if wrong := s.check(arg.(map[string]any), item); wrong != "" {
				return wrong
			}
		}
	case "properties":
		for name, r := range arg.(map[string]any) {
			if field, there := object[name]; there {
				if wrong := s.check(r.(map[string]any), field); wrong != "" {
					return name + ": " + wrong
				}
			}
		}
	case "required":
		for _, name := range arg.([]any) {
			if _, there := object[name.(string)]; !there {
				return fmt.Sprintf("%v is missing", name)
			}
		}
	case "additionalProperties":
		if arg != false {
			return "the schema allows more than it says"
		}
		for name := range object {
			if _, known := rule["properties"].(map[string]any)[name]; !known {
				return name + " is not in the schema"
			}
		}
	default:
		return "the schema has a word that this test does not know: " + word
	}
	if !ok {
		return fmt.Sprintf("%v is not %s %v", v, word, arg)
	}
	return ""
}

// isOfType reports whether a value is of a type of JSON Schema. None is of one that it does not know.
func isOfType(name string, v any) bool {
	ok := false
	switch name {
	case "object":
		_, ok = v.(map[string]any)
	case "array":
		_, ok = v.([]any)
	case "string":
		_, ok = v.(string)
	case "number":
		_, ok = v.(float64)
	case "integer":
		number, isNumber := v.(float64)
		ok = isNumber && number == float64(int64(number))
	case "boolean":
		_, ok = v.(bool)
	case "null":
		ok = v == nil
	}
	return ok
}

// TestReportsFitTheSchema holds the lines of a real download, and that the
// schema would notice a field that is missing, new or of another type.
func TestReportsFitTheSchema(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "a.bin")
	if err := os.WriteFile(file, bytes.Repeat([]byte("braid"), 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	carrier, err := transport.Builtin().New("tcp", transport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ports := freePortsOf(t, 2)
	var served, fetched lockedBuffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	ended := make(chan error, 1)
	alive := &firstWrite{w: &served, done: make(chan struct{})}
	go func() {
		ended <- server.Run(ctx, server.Config{
			Interval: 50 * time.Millisecond, Servers: 2, Files: []string{file, file}, Ports: ports, Bind: "127.0.0.1",
			Limits: []int64{2e6, 2e6}, MaxConns: 10, Report: "json",
		}, server.Env{Stdout: alive, Stderr: io.Discard, Transport: carrier})
	}()
	select {
	case <-alive.done:
	case err := <-ended:
		t.Fatal(err)
	}
	if err := client.Run(ctx, client.Config{
		Interval: 20 * time.Millisecond, Output: filepath.Join(folder, "out"), Ports: ports, Addresses: []string{"127.0.0.1", "127.0.0.1"},
		Wait: time.Minute, Report: "json", Progress: "never",
	}, client.Env{Stdout: &fetched, Stderr: io.Discard, Transport: carrier}); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}

	s, root := loadSchema(t)
	samples := map[string]map[string]any{}
	for line := range strings.Lines(served.String() + fetched.String()) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		if wrong := s.check(root, v); wrong != "" {
			t.Errorf("%s: %s", wrong, line)
		}
		samples[v["type"].(string)] = v
	}
	if len(samples) != 3 {
		t.Fatalf("only lines of the types %v", reflect.ValueOf(samples).MapKeys())
	}
	for kind, v := range samples {
		spoil(t, kind, v, func() bool { return s.check(root, samples[kind]) == "" })
	}
}

// spoil changes a value in every way that a reader would stumble over, all the
// way down, and fails where the schema, asked by fits, finds nothing wrong.
func spoil(t *testing.T, path string, v map[string]any, fits func() bool) {
	t.Helper()
	good := maps.Clone(v)
	try := func(what string, change func()) {
		change()
		if fits() {
			t.Errorf("%s: the schema does not notice %s", path, what)
		}
		clear(v)
		maps.Copy(v, good)
	}
	try("a new field", func() { v["new"] = 1.0 })
	for name, value := range good {
		try(name+" missing", func() { delete(v, name) })
		try(name+" of another type", func() { v[name] = []any{map[string]any{}} })
		if number, ok := value.(float64); ok {
			try(name+" below zero", func() { v[name] = -1 - number })
		}
		if list, ok := value.([]any); ok {
			spoil(t, path+"."+name, list[0].(map[string]any), fits)
		}
	}
	if !fits() {
		t.Errorf("%s: it was not put back", path)
	}
}
