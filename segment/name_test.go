package segment

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestSafeName(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []struct{ name, want string }{
		{"film.avi", "film.avi"},
		{"Ein Film (2).tar.gz", "Ein Film (2).tar.gz"},
		{"映画 🎬.mkv", "映画 🎬.mkv"},
		{".hidden", ".hidden"},
		{"-rf", "-rf"},
		{"a..b", "a..b"},
		{"_CON", "_CON"},
		{"", "download"},
		{".", "download"},
		{"..", "download"},
		{"...", "download"},
		{"/", "download"},
		{"dir/", "download"},
		{"   ", "download"},
		{"../../etc/passwd", "passwd"},
		{`..\..\autoexec.bat`, "autoexec.bat"},
		{`C:\film.avi`, "film.avi"},
		{"C:film.avi", "C_film.avi"},
		{"/abs/film.avi", "film.avi"},
		{"a\x00b\nc\x1b[2Jd\u0085e\u007f", "a_b_c_[2Jd_e_"},
		{"photo\u202egpj.exe", "photo_gpj.exe"},
		{"a\u2028b\u2029c", "a_b_c"},
		{`<a>:"b"|?*`, "_a___b____"},
		{"bad\xff\xfeutf8", "bad_utf8"},
		{"film.avi. . ", "film.avi"},
		{" film.avi", "film.avi"},
		{"CON", "_CON"},
		{"con.txt", "_con.txt"},
		{"Nul.tar.gz", "_Nul.tar.gz"},
		{"AUX .txt", "_AUX .txt"},
		{"com1", "_com1"},
		{"COM¹.log", "_COM¹.log"},
		{"lpt9.x", "_lpt9.x"},
		{"CONIN$", "_CONIN$"},
		{"COM", "COM"},
		{"COM10", "COM10"},
		{"CONSOLE.txt", "CONSOLE.txt"},
		{"film.avi.part", "film.avi.part_"},
		{"film.avi.PART", "film.avi.PART_"},
		{"film.avi.part.state", "film.avi.part.state_"},
		{"film.avi.Part.State", "film.avi.Part.State_"},
		{"film.part. ", "film.part_"},
		{".part", ".part_"},
		{"part", "part"},
		{"film.state", "film.state"},
		{long + ".avi", long[:240] + ".avi"},
		{long, long[:244]},
		{"a." + long, "a." + long[:242]},
		{strings.Repeat("é", 150) + ".avi", strings.Repeat("é", 120) + ".avi"},
		{"a" + strings.Repeat("é", 150) + ".avi", "a" + strings.Repeat("é", 119) + ".avi"},
		{long[:239] + ".part", long[:238] + ".part_"},
		{long[:243] + " " + long, long[:243]},
	} {
		if got := SafeName(c.name); got != c.want {
			t.Errorf("SafeName(%q) = %q, want %q", c.name, got, c.want)
		}
	}
}

func FuzzSafeName(f *testing.F) {
	for _, s := range []string{
		"film.avi", "", "..", "../x", `a\b`, "CON", "com1.txt", "x.part", "x.part.state", "a\xffb", "a. ", " a",
		"\u202e", "?:*", strings.Repeat("é", 300) + ".avi", strings.Repeat("a", 239) + ".part", strings.Repeat("a", 243) + ".b",
		strings.Repeat("a", 239) + ".part" + strings.Repeat("b", 40), "NUL." + strings.Repeat("b", 240),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, told string) {
		name := SafeName(told)
		if again := SafeName(name); again != name {
			t.Fatalf("%q becomes %q and then %q", told, name, again)
		}
		lower := strings.ToLower(name)
		switch {
		case name == "" || len(name) > 244 || !utf8.ValidString(name):
		case strings.ContainsAny(name, `/\<>:"|?*`) || strings.ContainsFunc(name, unicode.IsControl):
		case strings.HasSuffix(name, ".") || strings.HasSuffix(name, " "):
		case strings.HasSuffix(lower, ".part") || strings.HasSuffix(lower, ".part.state"):
		case !filepath.IsLocal(name) || filepath.Base(name) != name:
		default:
			return
		}
		t.Fatalf("%q becomes %q, which is not safe", told, name)
	})
}
