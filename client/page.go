package client

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"braid/report"
	"braid/segment"
)

// checkPage refuses a name for the page of --html that could not be written at
// the end. The output directory may still be missing.
func checkPage(path, output string) error {
	folder := filepath.Dir(path)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return errors.New("is a folder, want the name of a file")
	}
	if holds(path, output) {
		return errors.New("will be a folder, that of --output/-o or one above it, want the name of a file")
	}
	info, err := os.Stat(folder)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return fmt.Errorf("%s is no folder, want a folder that is there", folder)
	case os.IsNotExist(err) && filepath.Clean(output) == folder:
		return nil
	case os.IsNotExist(err):
		return fmt.Errorf("there is no folder %s, want one that is there", folder)
	}
	return err
}

// holds reports whether path is folder, or a folder above it, by their names.
func holds(path, folder string) bool {
	above, errAbove := filepath.Abs(path)
	below, errBelow := filepath.Abs(folder)
	way, err := filepath.Rel(above, below)
	return errors.Join(errAbove, errBelow, err) == nil && filepath.IsLocal(way)
}

// page writes what --html asks for, and returns how the run has ended: err, or
// why the page could not be written. A run that brought nothing leaves one, too: its events say why.
func (d *download) page(err error) error {
	if d.cfg.HTML == "" {
		return err
	}
	if failure := d.writePage(err); failure != nil {
		if err == nil {
			return failure
		}
		d.tell.Printf("%v", failure)
		return err
	}
	d.tell.Printf("the report is in %s", d.cfg.HTML)
	return err
}

func (d *download) writePage(err error) error {
	now := time.Now()
	fail := func(err error) error {
		return &segment.DiskError{Op: "write the report", Path: d.cfg.HTML, Err: err}
	}
	elapsed := now.Sub(d.view.begun)
	s := report.Summary{
		Begun: d.view.begun, Progress: d.progress(now, elapsed.Seconds(), d.kept),
		Resumed: d.resumed, Wasted: max(d.arrived-d.kept, 0),
	}
	for i, server := range d.servers {
		s.Progress.Servers[i].Speed = perSecond(server.bytes, elapsed.Seconds())
	}
	d.view.history.Sample(s.Progress)
	if err != nil {
		s.Failure = err.Error()
	}
	if c := d.content; c != nil {
		s.Name, s.BLAKE3 = c.name, c.key.root.String()
		s.Path = filepath.Join(d.cfg.Output, s.Name)
		if err != nil {
			s.Path += ".part"
		}
		if _, failed := os.Lstat(s.Path); failed != nil {
			s.Path = "" // nothing was kept
		}
		if same(s.Path, d.cfg.HTML) {
			return fail(errors.New("it is the file that was downloaded"))
		}
	}
	var b bytes.Buffer
	if err := report.HTML(&b, d.view.history, s); err != nil {
		return fail(err)
	}
	if err := os.WriteFile(d.cfg.HTML, b.Bytes(), 0o666); err != nil {
		return fail(errors.Unwrap(err))
	}
	return nil
}

// same reports whether two paths lead to one file.
func same(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}
