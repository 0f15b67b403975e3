package segment

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	partSuffix  = ".part"
	stateSuffix = ".part.state"

	// maxName leaves room for the longer suffix below the 255 bytes of common file systems.
	maxName = 255 - len(stateSuffix)
	// maxExtension is how many bytes of it are still taken for an extension.
	maxExtension = 20
)

// SafeName makes the name that a server told safe as a base name on any system: the
// part behind the last separator, of either kind, in valid UTF-8, without control
// characters, characters or names that Windows refuses, or trailing dots and
// spaces; at most 244 bytes, keeping the extension; never empty; and never one that
// could be the part or state file of another download. A safe name stays as it is.
func SafeName(name string) string {
	name = strings.ToValidUTF8(name, "_")
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(safeRune, name)
	// Every step can undo an earlier one: cutting may bare a trailing dot.
	for {
		next := shorten(setApart(strings.TrimRight(strings.TrimLeft(name, " "), " .")))
		if next == name {
			return name
		}
		name = next
	}
}

// safeRune replaces what Windows refuses in names, what steers a terminal, and what
// makes a name read other than it is (bidirectional controls, line separators).
func safeRune(r rune) rune {
	switch {
	case strings.ContainsRune(`<>:"|?*`, r), unicode.IsControl(r),
		unicode.Is(unicode.Bidi_Control, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
		return '_'
	}
	return r
}

// setApart keeps a name away from those that mean something else.
func setApart(name string) string {
	lower := strings.ToLower(name)
	switch {
	case name == "":
		return "download"
	case reserved(name):
		return "_" + name
	case strings.HasSuffix(lower, partSuffix), strings.HasSuffix(lower, stateSuffix):
		return name + "_"
	}
	return name
}

// reserved reports whether Windows takes the name for a device, which it does
// whatever the extension
// (https://learn.microsoft.com/windows/win32/fileio/naming-a-file).
func reserved(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	stem = strings.ToUpper(strings.TrimRight(stem, " "))
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	port, ok := strings.CutPrefix(stem, "COM")
	if !ok {
		port, ok = strings.CutPrefix(stem, "LPT")
	}
	return ok && utf8.RuneCountInString(port) == 1 && strings.ContainsAny(port, "0123456789¹²³")
}

// shorten cuts the name to maxName bytes, before the extension.
func shorten(name string) string {
	if len(name) <= maxName {
		return name
	}
	ext := path.Ext(name)
	if len(ext) > maxExtension {
		ext = ""
	}
	stem := name[:maxName-len(ext)]
	for !utf8.ValidString(stem) {
		stem = stem[:len(stem)-1]
	}
	return stem + ext
}
