package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the build: -ldflags "-X main.version=1.2.3".
var version = unversioned

// unversioned is the version of a build that was not given one.
const unversioned = "dev"

// versionLine is name, version, Go version and system, in one line.
func versionLine() string {
	return fmt.Sprintf("braid %s %s %s/%s", programVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// programVersion is the version that the build was given, else what the Go
// tool has noted of the module or of the commit.
func programVersion() string {
	info, ok := debug.ReadBuildInfo()
	if version != unversioned || !ok {
		return version
	}
	return noted(info)
}

func noted(info *debug.BuildInfo) string {
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	var revision, dirty string
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value[:min(len(s.Value), 12)]
		case "vcs.modified":
			if s.Value == "true" {
				dirty = "-dirty"
			}
		}
	}
	if revision == "" {
		return unversioned
	}
	return unversioned + "-" + revision + dirty
}
