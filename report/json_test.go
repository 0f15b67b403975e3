package report

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

// The field names and their units are documented in the README.
func TestJSON(t *testing.T) {
	var w writes
	d := newDownloadWriter(t, "json", &w)
	d.Progress(sampleProgress)
	d.Progress(Progress{Left: -1})
	if err := d.Result(sampleResult); err != nil {
		t.Fatal(err)
	}
	s := newStatusWriter(t, "json", &w)
	s.Status(sampleServers)
	s.Status(nil)
	compare(t, w.all, []string{
		`{"type":"progress","elapsed":1.5,"size":8000000,"bytes":3456789,"speed":2304526,"left":2,"servers":[` +
			`{"number":1,"address":"127.0.0.1:9001","bytes":3000000,"speed":2000049,"state":"connected","streams":2},` +
			`{"number":2,"address":"[::1]:9002","bytes":456789,"speed":304526.6,"state":"stalled","streams":1}]}` + "\n",
		`{"type":"progress","elapsed":0,"size":0,"bytes":0,"speed":0,"left":null,"servers":[]}` + "\n",
		`{"type":"result","path":"out/video <1>.avi","size":8000000,"blake3":"` + digest + `","elapsed":3.456,"speed":2314814.815,` +
			`"resumed":16384,"wasted":5,"servers":[{"number":1,"address":"127.0.0.1:9001","bytes":7983616,"speed":1,"state":"connected","streams":0}]}` + "\n",
		`{"type":"status","servers":[{"number":1,"port":9001,"alive":true,"connections":3,"bytes_sent":1099511627776},` +
			`{"number":2,"port":9002,"alive":false,"connections":0,"bytes_sent":0}]}` + "\n",
		`{"type":"status","servers":[]}` + "\n",
	})
}

// Whatever the snapshot holds, one line of valid JSON comes out, and what can be shown comes back.
func TestJSONOfOddValues(t *testing.T) {
	for _, speed := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, 0, 1e-9, 12345.6789, 1e21, math.MaxFloat64} {
		p := Progress{
			Elapsed: math.MaxInt64, Size: math.MaxInt64, Bytes: math.MaxInt64, Speed: speed, Left: math.MaxInt64,
			Servers: []Server{{Address: "a\n\"\x1b\xff<>", Speed: speed, State: "\u2028"}},
		}
		line := string(jsonProgress(p))
		if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
			t.Errorf("speed %v: not one line: %q", speed, line)
		}
		var got struct {
			Type          string
			Elapsed, Left float64
			Size, Bytes   int64
			Speed         float64
			Servers       []struct {
				Address, State string
				Speed          float64
			}
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("speed %v: %v in %q", speed, err, line)
		}
		want := 0.0
		if speed > 0 && !math.IsInf(speed, 0) {
			want = speed
		}
		if math.Abs(got.Speed-want) > 0.0005+want*1e-15 || got.Servers[0].Speed != got.Speed {
			t.Errorf("speed %v came back as %v and %v", speed, got.Speed, got.Servers[0].Speed)
		}
		if got.Size != math.MaxInt64 || got.Bytes != math.MaxInt64 || got.Type != "progress" {
			t.Errorf("came back as %+v", got)
		}
		if seconds := time.Duration(math.MaxInt64).Seconds(); math.Abs(got.Elapsed-seconds) > 0.001 || got.Left != got.Elapsed {
			t.Errorf("times came back as %v and %v, want %v", got.Elapsed, got.Left, seconds)
		}
		if got.Servers[0].Address != "a\n\"\x1b\ufffd<>" || got.Servers[0].State != "\u2028" {
			t.Errorf("texts came back as %+q", []string{got.Servers[0].Address, got.Servers[0].State})
		}
	}
}
