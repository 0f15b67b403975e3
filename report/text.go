package report

import (
	"bytes"
	"fmt"
	"math"
)

func textProgress(p Progress) []byte {
	var b bytes.Buffer
	for _, s := range p.Servers {
		fmt.Fprintf(&b, "Server %d: %d/%d, download speed: %skb/s\n", s.Number, s.Bytes, p.Size, kilobytes(s.Speed))
	}
	fmt.Fprintf(&b, "Total: %d/%d, download speed: %skb/s\n", p.Bytes, p.Size, kilobytes(p.Speed))
	return b.Bytes()
}

func textResult(r Result) []byte {
	return fmt.Appendf(nil, "Saved %s: %d bytes, blake3 %s, %.2fs, %skb/s\n",
		printable(r.Path), r.Size, r.BLAKE3, r.Elapsed.Seconds(), kilobytes(r.Speed))
}

func textStatus(servers []VirtualServer) []byte {
	var b bytes.Buffer
	for _, s := range servers {
		status := "dead"
		if s.Alive {
			status = "alive"
		}
		fmt.Fprintf(&b, "Server %d: Port: %d Status: %s, To Shutdown Server %d Enter: E%d\n",
			s.Number, s.Port, status, s.Number, s.Number)
	}
	return b.Bytes()
}

// kilobytes is a speed in units of 1000 bytes, with one decimal.
func kilobytes(speed float64) string {
	return fmt.Sprintf("%.1f", finite(speed)/1000)
}

// finite makes a number fit to be shown: a speed over an interval of no length
// (NaN, infinite) or of a clock that went back (negative) is shown as 0.
func finite(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) || x <= 0 {
		return 0
	}
	return x
}
