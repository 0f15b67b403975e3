package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// markup is text that is HTML already. In the source it is only ever a
// constant, or put together by this package out of constants and numbers: what
// comes from elsewhere stays a string, and put escapes that.
//
// The standard html/template would do the same, and make the program two
// megabytes larger, a fifth of what it may weigh.
type markup string

// page writes HTML. The first error sticks to w.
type page struct{ w *bufio.Writer }

func newPage(w io.Writer) *page { return &page{bufio.NewWriter(w)} }

// escaper covers element content and quoted attribute values (HTML standard, 13.3).
var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;")

// put writes format with its verbs filled in, every string among args escaped
// and free of control characters.
func (p *page) put(format markup, args ...any) {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = escaper.Replace(printable(s))
		}
	}
	fmt.Fprintf(p.w, string(format), args...)
}
