package client_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"braid/client"
	"braid/flags"
	"braid/segment"
)

// html makes a run write its page to a file.
func html(path string) func(*client.Config) {
	return func(c *client.Config) { c.HTML = path }
}

func readPage(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func holds(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("the page has no %q", text)
		}
	}
}

// A page is written at the end, for what came from servers and for what was there.
func TestPageOfADownload(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(4*MB, 1)
		w.serve(1, w.file("a.bin", data), 1*MB, 5*time.Millisecond)
		w.serve(2, w.file("a.bin", data), 500*kB, 5*time.Millisecond)
		path := filepath.Join(w.out(), "page.html") // in a folder that is still to be made
		w.download(2, html(path)).complete("a.bin", data).told("the report is in "+path, 1)
		page := readPage(t, path)
		holds(t, page, "every byte verified", "<h1>a.bin</h1>", "Speed over time", "Who delivered which part", "Server 2 (h:9002): connected", "100.0%")
		if strings.Contains(page, "is in "+path) {
			t.Error("the page tells of itself")
		}

		w.download(2, html(path), func(c *client.Config) { c.Resume = true }).complete("a.bin", data)
		holds(t, readPage(t, path), "every byte verified", "Found on disk", "complete already")
	})
}

// An interrupted run leaves a page of what it has; one that brought nothing leaves one that says why.
func TestPageOfAnInterruption(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(4*MB, 1)
		w.serve(1, w.file("a.bin", data), 500*kB, 5*time.Millisecond)
		path := filepath.Join(w.dir, "page.html")
		r := w.start(1, html(path))
		time.Sleep(3 * time.Second)
		r.cancel()
		var interrupted *client.InterruptedError
		if r.wait(); !errors.As(r.err, &interrupted) {
			t.Fatalf("got %v", r.err)
		}
		holds(t, readPage(t, path), "Not complete", "interrupted", "a.bin.part", "Who delivered which part")

		none := filepath.Join(w.dir, "none.html")
		w.download(2, html(none), func(c *client.Config) { c.Ports, c.Addresses, c.Wait = []int{9009}, []string{"h"}, 0 }).
			told("the report is in "+none, 1)
		holds(t, readPage(t, none), "Not complete", "No file: no server has told one", "Server 1 (h:9009): refused")

		// Known, and nothing fetched: there is no part file to name.
		r = w.start(1, html(none), func(c *client.Config) { c.Output = filepath.Join(w.dir, "other"); c.Limit = 1 })
		time.Sleep(time.Second)
		r.cancel()
		r.wait()
		page := readPage(t, none)
		holds(t, page, "Not complete", "<h1>a.bin</h1>")
		if strings.Contains(page, "a.bin.part") {
			t.Error("the page names a part file that is not there")
		}
	})
}

// A page that cannot be written is an error of the disk, and never in the place of the download.
func TestPageThatCannotBeWritten(t *testing.T) {
	inWorld(t, func(w *world) {
		data := content(size, 1)
		w.serve(1, w.file("a.bin", data), 5*MB, time.Millisecond)
		for path, want := range map[string]string{
			filepath.Join(w.out(), "a.bin"):           "it is the file that was downloaded",
			filepath.Join(w.dir, "gone", "page.html"): "page.html",
		} {
			r := w.download(1, html(path))
			var disk *segment.DiskError
			if !errors.As(r.err, &disk) || !strings.Contains(r.err.Error(), want) {
				t.Errorf("%s: got %v", path, r.err)
			}
			if got, err := os.ReadFile(filepath.Join(w.out(), "a.bin")); err != nil || string(got) != string(data) {
				t.Errorf("%s: the download is not what it was: %v", path, err)
			}
		}
	})
}

// What could not be written at the end is refused before anything starts.
func TestPageFlag(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"page.html": "", filepath.Join("out", "page.html"): "", filepath.Join(".", "out", "page.html"): "",
		filepath.Join("gone", "page.html"): `--html: "` + filepath.Join("gone", "page.html") + `": there is no folder gone, want one that is there`,
		filepath.Join("file", "page.html"): `--html: "` + filepath.Join("file", "page.html") + `": file is no folder, want a folder that is there`,
		".":                                `--html: ".": is a folder, want the name of a file`,
		"":                                 `--html: "": empty, want the name of a file`,
	} {
		cfg, err := client.ParseFlags([]string{"-i", "1", "-o", "out", "-a", "h", "-p", "1", "--html", path}, []string{"tcp"})
		var e *flags.Error
		switch {
		case want == "" && (err != nil || cfg.HTML != path):
			t.Errorf("%q: got %q, %v", path, cfg.HTML, err)
		case want != "" && (!errors.As(err, &e) || e.Error() != want):
			t.Errorf("%q: got %v\nwant %s", path, err, want)
		}
	}
}

// The output directory and what is above it are still missing, but will be no files.
func TestPageFlagNamesAFolderToBe(t *testing.T) {
	t.Chdir(t.TempDir())
	output := filepath.Join("above", "out")
	whole, err := filepath.Abs(output)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{output, "above", filepath.Join(".", "above") + string(filepath.Separator), whole, filepath.Join(output, "..")} {
		_, err := client.ParseFlags([]string{"-i", "1", "-o", output, "-a", "h", "-p", "1", "--html", path}, []string{"tcp"})
		var e *flags.Error
		if !errors.As(err, &e) || e.Reason != "will be a folder, that of --output/-o or one above it, want the name of a file" {
			t.Errorf("%q: got %v", path, err)
		}
	}
	for _, path := range []string{"out", "abov", filepath.Join(output, "out")} {
		if _, err := client.ParseFlags([]string{"-i", "1", "-o", output, "-a", "h", "-p", "1", "--html", path}, []string{"tcp"}); err != nil {
			t.Errorf("%q: got %v", path, err)
		}
	}
}
