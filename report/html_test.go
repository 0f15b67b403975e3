package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// playedHistory is a download of 48 MB from n servers of unequal speed, one of
// which dies midway, and what a resume found.
func playedHistory(n int) (*History, Summary) {
	const size, segment = 48_000_000, 16 << 10
	random := rand.New(rand.NewPCG(1, uint64(n)))
	h := &History{}
	p := Progress{Size: size}
	rates := make([]float64, n)
	for i := range n {
		p.Servers = append(p.Servers, Server{Number: i + 1, Address: fmt.Sprintf("192.168.1.%d:9001", i+20), State: "connected"})
		rates[i] = 150e3 * float64(1+i%7)
		h.Event(time.Duration(i)*time.Millisecond, fmt.Sprintf("Server %d (%s): connected", i+1, p.Servers[i].Address))
	}
	found := int64(size / 12 / segment * segment)
	h.Delivered(0, 0, found, size)
	p.Bytes = found
	const tick = 100 * time.Millisecond
	next := make([]float64, n)
	for at := found; p.Bytes < size; p.Elapsed += tick {
		for i := range n {
			s := &p.Servers[i]
			if i == 1 && p.Bytes > size/2 {
				if s.State == "connected" {
					s.State = "lost"
					h.Event(p.Elapsed, "Server 2 ("+s.Address+"): lost: connection reset by peer")
				}
				continue
			}
			arrived := rates[i] * tick.Seconds() * (0.7 + 0.6*random.Float64())
			s.Arrived += int64(arrived)
			for next[i] += arrived; next[i] >= segment && at < size; next[i] -= segment {
				n := min(segment, size-at)
				h.Delivered(i+1, at, n, size)
				at += n
				s.Bytes, p.Bytes = s.Bytes+n, p.Bytes+n
			}
		}
		h.Sample(p)
	}
	h.Sample(p)
	for i := range p.Servers {
		p.Servers[i].Speed = float64(p.Servers[i].Bytes) / p.Elapsed.Seconds()
		p.Speed += p.Servers[i].Speed
	}
	return h, Summary{
		Begun: time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC), Name: "holiday film.mp4", Path: "downloads/holiday film.mp4",
		BLAKE3: digest, Progress: p, Resumed: found, Wasted: 16384,
	}
}

// The page of a download, to be looked at in a browser as well:
// BRAID_PAGE=folder go test -run TestPage ./report
func TestPage(t *testing.T) {
	folder := os.Getenv("BRAID_PAGE")
	if folder == "" {
		folder = t.TempDir()
	}
	for _, n := range []int{1, 4, 20, 600} {
		h, s := playedHistory(n)
		var b bytes.Buffer
		if err := HTML(&b, h, s); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(fmt.Sprintf("%s/page%d.html", folder, n), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		checkPage(t, b.String())
		text := pageText(t, b.String())
		for _, want := range []string{
			"Complete, every byte verified", "holiday film.mp4", digest, "22 November 2026, 18:00:00 UTC", "48.0 MB",
			"Server 1 (192.168.1.20:9001): connected", "Found on disk", "100.0%",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%d servers: the page does not say %q", n, want)
			}
		}
		// A row for each server that is shown, and one each for the rest, the disk and the head; the total.
		rows := min(n, mostRows) + min(max(n-mostRows, 0), 1) + 3
		if got := strings.Count(b.String(), "<tr>"); got != rows {
			t.Errorf("%d servers: %d rows, want %d", n, got, rows)
		}
		if cards := strings.Count(b.String(), "<figure>"); cards != min(n, mostCards) {
			t.Errorf("%d servers: %d charts", n, cards)
		}
	}
}

// A run that has ended badly, or with nothing, still makes a good page.
func TestPageOfAFailure(t *testing.T) {
	h, s := playedHistory(3)
	s.Failure, s.Progress.Bytes = "no server has answered for 10m0s", s.Progress.Size-1
	var b bytes.Buffer
	if err := HTML(&b, h, s); err != nil {
		t.Fatal(err)
	}
	checkPage(t, b.String())
	text := pageText(t, b.String())
	for _, want := range []string{"Not complete", s.Failure, "99.9%", "Verified"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(text, "every byte verified") {
		t.Error("the page says that all is well")
	}
	for _, s := range []Summary{{}, {Failure: "x", Progress: Progress{Servers: servers(2), Size: -1, Bytes: -1, Speed: math.NaN()}, Resumed: -1, Wasted: -1}} {
		for _, h := range []*History{nil, {}} {
			b.Reset()
			if err := HTML(&b, h, s); err != nil {
				t.Fatal(err)
			}
			checkPage(t, b.String())
		}
	}
}

// Time that has passed is never told as more than it is.
func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.0 s", 1490 * time.Millisecond: "1.4 s", 59970 * time.Millisecond: "59.9 s", time.Minute: "1:00",
		60010 * time.Millisecond: "1:00", 119999 * time.Millisecond: "1:59", 2*time.Hour - 1: "1:59:59",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v): got %q, want %q", d, got, want)
		}
	}
}

func TestPageWriteError(t *testing.T) {
	h, s := playedHistory(2)
	if err := HTML(&writes{limit: 2}, h, s); !errors.Is(err, errGone) {
		t.Errorf("got %v", err)
	}
}

// tags is every element of the page with its attributes.
var tags = map[string]string{
	"html": "lang", "head": "", "meta": "charset name content http-equiv", "title": "id", "style": "", "body": "", "main": "", "header": "", "footer": "class",
	"span": "class", "h1": "", "h2": "id", "p": "class", "dl": "class", "div": "class", "dt": "", "dd": "title",
	"section": "aria-labelledby", "svg": "class viewbox role aria-labelledby aria-label preserveaspectratio", "path": "class d",
	"text": "x y text-anchor", "ul": "class", "ol": "class", "li": "", "time": "", "figure": "", "figcaption": "",
	"table": "", "thead": "", "tbody": "", "tfoot": "", "tr": "", "th": "scope class colspan", "td": "class title",
}

// checkPage fails where a page holds anything but the elements and attributes
// that this package writes, is not closed properly, or asks the network for something.
func checkPage(t *testing.T, page string) {
	t.Helper()
	z := html.NewTokenizer(strings.NewReader(page))
	var open []string
	for {
		switch z.Next() {
		case html.ErrorToken:
			if len(open) > 0 || z.Err() != io.EOF {
				t.Fatalf("left open: %v, %v", open, z.Err())
			}
			return
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			allowed, ok := tags[token.Data]
			if !ok {
				t.Fatalf("element %v", token)
			}
			for _, a := range token.Attr {
				if !slices.Contains(strings.Fields(allowed), a.Key) {
					t.Fatalf("attribute %q of %q", a.Key, token.Data)
				}
				if a.Key == "d" && !outline.MatchString(a.Val) {
					t.Fatalf("bad path %.80q", a.Val)
				}
			}
			if token.Type == html.StartTagToken && token.Data != "meta" {
				open = append(open, token.Data)
			}
		case html.EndTagToken:
			token := z.Token()
			if len(open) == 0 || open[len(open)-1] != token.Data {
				t.Fatalf("</%s> closes %v", token.Data, open)
			}
			open = open[:len(open)-1]
		case html.TextToken:
			text := z.Token().Data
			if len(open) > 0 && open[len(open)-1] == "style" && (strings.Contains(text, "url(") || strings.Contains(text, "@import")) {
				t.Fatal("the style loads something")
			}
		}
	}
}

var outline = regexp.MustCompile(`^([MLHhvzZ]|-?[0-9]+(\.[0-9])?| )*$`)

// pageText is what a reader sees.
func pageText(t *testing.T, page string) string {
	t.Helper()
	var b strings.Builder
	for z := html.NewTokenizer(strings.NewReader(page)); z.Next() != html.ErrorToken; {
		if token := z.Token(); token.Type == html.TextToken {
			b.WriteString(token.Data + " ")
		}
	}
	return b.String()
}

// Whatever peers and the file system are called, the page keeps its shape.
func FuzzHTML(f *testing.F) {
	f.Add("</style><script>alert(1)</script>", int64(5), int64(3))
	f.Add("'\" onload=x <!-- &amp; \x1b[2J\xff\u202e", int64(math.MaxInt64), int64(-1))
	f.Add("%s%d%!", int64(0), int64(0))
	f.Fuzz(func(t *testing.T, text string, size, n int64) {
		h := &History{}
		p := Progress{Size: size, Bytes: n, Speed: float64(n), Servers: []Server{
			{Number: 1, Address: text, State: text, Bytes: n, Arrived: n, Speed: float64(size)}, {Number: 2, Arrived: size},
		}}
		h.Event(time.Duration(n), text)
		h.Delivered(1, n, n, size)
		h.Delivered(0, 0, n, size)
		for _, p.Elapsed = range []time.Duration{1, time.Duration(size), time.Duration(n), time.Second} {
			h.Sample(p)
		}
		var b bytes.Buffer
		if err := HTML(&b, h, Summary{Name: text, Path: text, BLAKE3: text, Failure: text, Progress: p, Resumed: n, Wasted: size}); err != nil {
			t.Fatal(err)
		}
		checkPage(t, b.String())
		if got := pageText(t, b.String()); text != "" && strings.Count(got, printable(text)) < 5 {
			t.Errorf("%q is not shown as it is", text)
		}
	})
}

// Text and shapes stand out from the background in both schemes, as far as
// WCAG 2.1 (1.4.3, 1.4.11) asks: 4.5 to 1 and 3 to 1.
func TestContrast(t *testing.T) {
	light, dark, found := strings.Cut(pageStyle, "@media (prefers-color-scheme: dark)")
	if !found {
		t.Fatal("no dark scheme")
	}
	for name, css := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z0-9]+): #([0-9a-f]{6});`).FindAllStringSubmatch(css, -1) {
			colours[m[1]] = luminance(t, m[2])
		}
		for _, ground := range []string{"page", "card"} {
			for colour, l := range colours {
				want := 3.0
				switch colour {
				case "text", "soft", "good", "bad":
					want = 4.5
				case "page", "card", "line", "grid", "hole":
					continue
				}
				low, high := min(l, colours[ground]), max(l, colours[ground])
				if ratio := (high + 0.05) / (low + 0.05); ratio < want {
					t.Errorf("%s: --%s on --%s has a contrast of %.2f, want %.1f", name, colour, ground, ratio, want)
				}
			}
		}
		for i := 0; i <= mostColours; i++ {
			if _, ok := colours[fmt.Sprintf("c%d", i)]; !ok {
				t.Errorf("%s: no colour c%d", name, i)
			}
		}
	}
}

func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(hex, 16, 24)
	if err != nil {
		t.Fatal(err)
	}
	linear := func(c uint64) float64 {
		v := float64(c&255) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(n>>16) + 0.7152*linear(n>>8) + 0.0722*linear(n)
}
