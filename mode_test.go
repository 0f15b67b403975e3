package main

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"braid/flags"
)

func TestModeOfName(t *testing.T) {
	for name, want := range map[string]mode{
		"server": modeServer, "Server.exe": modeServer, "SERVER.EXE": modeServer, "server2": modeServer,
		"client-linux-amd64": modeClient, "client (1).exe": modeClient, "/usr/bin/client": modeClient,
		`C:\tools\Client.exe`: modeClient, `E:client`: "", "braid": "", "braid-server": "", "myclient": "",
		"/server/braid": "", `C:\client\braid.exe`: "", "": "", "serve": "", "/": "",
	} {
		if got := modeOfName(name); got != want {
			t.Errorf("modeOfName(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestChooseMode(t *testing.T) {
	for _, test := range []struct {
		argv string
		env  string
		want mode
		rest string
	}{
		{"braid server -i 2", "client", modeServer, "-i 2"},
		{"braid client --mode=server -i 2", "server", modeClient, "-i 2"},
		{"braid -i 2 --mode server -r", "client", modeServer, "-i 2 -r"},
		{"braid -i 2 --mode=server --mode=client", "", modeClient, "-i 2"},
		{"braid --mode server client", "", modeServer, "client"},
		{"server -i 2", "client", modeServer, "-i 2"},
		{"server client -i 2", "", modeClient, "-i 2"},
		{"server --mode=client -i 2", "", modeClient, "-i 2"},
		{"braid -i 2", "SERVER", modeServer, "-i 2"},
		{"client -- --mode server", "", modeClient, "-- --mode server"},
		{"braid demo", "server", modeDemo, ""},
		{"braid --version", "", modeVersion, ""},
		{"server --version", "", modeVersion, ""},
		{"braid help client", "", modeHelp, "client"},
		{"braid -h", "", modeHelp, ""},
		{"braid -h", "client", modeClient, "-h"},
		{"client -h", "", modeClient, "-h"},
	} {
		got, rest, err := chooseMode(strings.Fields(test.argv), test.env)
		if err != nil || got != test.want || strings.Join(rest, " ") != test.rest {
			t.Errorf("%s: got %q, %q, %v, want %q, %q", test.argv, got, rest, err, test.want, test.rest)
		}
	}
}

func TestChooseModeErrors(t *testing.T) {
	for _, argv := range [][]string{nil, {"braid"}, {"braid", "-i", "2"}, {"braid", "bogus"}} {
		_, _, err := chooseMode(argv, "")
		var none *errNoMode
		if !errors.As(err, &none) {
			t.Errorf("%q: got %v, want *errNoMode", argv, err)
		}
	}
	for _, test := range []struct{ argv, env string }{
		{"braid --mode", ""}, {"braid --mode=both", ""}, {"braid --mode=", ""}, {"braid server --mode=both", ""}, {"braid", "both"},
	} {
		_, _, err := chooseMode(strings.Fields(test.argv), test.env)
		var usage *flags.Error
		if !errors.As(err, &usage) {
			t.Errorf("%s with %q: got %v, want *flags.Error", test.argv, test.env, err)
		}
	}
}

func FuzzChooseMode(f *testing.F) {
	for _, s := range []string{"braid\x00server", "client\x00--mode\x00server\x00-i\x002", "braid\x00--\x00--mode=x", "", "/\x00--mode"} {
		f.Add(s, "server")
	}
	f.Fuzz(func(t *testing.T, in, env string) {
		argv := strings.Split(in, "\x00")
		m, rest, err := chooseMode(argv, env)
		if (err == nil) != (m != "") || len(rest) >= max(len(argv), 1) {
			t.Errorf("%q, %q: got %q, %q, %v", argv, env, m, rest, err)
		}
		again, _, _ := takeModeFlag(rest)
		if err == nil && m != modeHelp && again != "" && !reflect.DeepEqual(rest, argv) {
			t.Errorf("%q: --mode is left in %q", argv, rest)
		}
	})
}
