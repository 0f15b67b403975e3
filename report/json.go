package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// The JSON reports. Sizes are bytes, speeds bytes/s, times seconds.

type progressObject struct {
	Type    string         `json:"type"` // progress
	Elapsed seconds        `json:"elapsed"`
	Size    int64          `json:"size"` // 0 while unknown
	Bytes   int64          `json:"bytes"`
	Speed   number         `json:"speed"`
	Left    *seconds       `json:"left"` // null while unknown
	Servers []serverObject `json:"servers"`
}

type resultObject struct {
	Type    string         `json:"type"` // result
	Path    string         `json:"path"`
	Size    int64          `json:"size"`
	BLAKE3  string         `json:"blake3"`
	Elapsed seconds        `json:"elapsed"`
	Speed   number         `json:"speed"`
	Resumed int64          `json:"resumed"`
	Wasted  int64          `json:"wasted"`
	Servers []serverObject `json:"servers"`
}

type serverObject struct {
	Number  int    `json:"number"`
	Address string `json:"address"`
	Bytes   int64  `json:"bytes"`
	Speed   number `json:"speed"`
	State   string `json:"state"`
	Streams int    `json:"streams"`
}

type statusObject struct {
	Type    string                `json:"type"` // status
	Servers []virtualServerObject `json:"servers"`
}

type virtualServerObject struct {
	Number      int   `json:"number"`
	Port        int   `json:"port"`
	Alive       bool  `json:"alive"`
	Connections int   `json:"connections"`
	BytesSent   int64 `json:"bytes_sent"`
}

// number and seconds print as plain decimals with at most three places, never
// with an exponent and never as something that JSON has no word for.
type (
	number  float64
	seconds time.Duration
)

func (n number) MarshalJSON() ([]byte, error) { return decimal(float64(n)), nil }

func (s seconds) MarshalJSON() ([]byte, error) { return decimal(time.Duration(s).Seconds()), nil }

func decimal(x float64) []byte {
	b := fmt.Appendf(nil, "%.3f", finite(x))
	return bytes.TrimSuffix(bytes.TrimRight(b, "0"), []byte("."))
}

func jsonProgress(p Progress) []byte {
	o := progressObject{
		Type: "progress", Elapsed: seconds(p.Elapsed), Size: p.Size, Bytes: p.Bytes,
		Speed: number(p.Speed), Servers: serverObjects(p.Servers),
	}
	if p.Left >= 0 {
		left := seconds(p.Left)
		o.Left = &left
	}
	return jsonLine(o)
}

func jsonResult(r Result) []byte {
	return jsonLine(resultObject{
		Type: "result", Path: r.Path, Size: r.Size, BLAKE3: r.BLAKE3, Elapsed: seconds(r.Elapsed),
		Speed: number(r.Speed), Resumed: r.Resumed, Wasted: r.Wasted, Servers: serverObjects(r.Servers),
	})
}

func jsonStatus(servers []VirtualServer) []byte {
	o := statusObject{Type: "status", Servers: make([]virtualServerObject, len(servers))}
	for i, s := range servers {
		o.Servers[i] = virtualServerObject(s)
	}
	return jsonLine(o)
}

func serverObjects(servers []Server) []serverObject {
	objects := make([]serverObject, len(servers)) // [] and not null when there is none
	for i, s := range servers {
		objects[i] = serverObject{
			Number: s.Number, Address: s.Address, Bytes: s.Bytes,
			Speed: number(s.Speed), State: s.State, Streams: s.Streams,
		}
	}
	return objects
}

func jsonLine(o any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(o); err != nil {
		panic(err) // none of these types can fail to encode
	}
	return b.Bytes()
}
