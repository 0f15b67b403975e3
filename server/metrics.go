package server

import (
	"context"
	"fmt"
	"net"
	"strings"

	"braid/report"
)

// observation is what is counted of one virtual server, over all its lives.
type observation struct {
	report.VirtualServer
	accepted int64 // connections
	refused  int64 // connections that were told why not
}

// observe looks at every virtual server. It is for the owner of the slots.
func (h *host) observe() []observation {
	var all []observation
	for _, s := range h.slots {
		o := observation{
			VirtualServer: report.VirtualServer{Number: s.number, Port: s.port, Alive: s.live != nil, BytesSent: s.sent},
			accepted:      s.accepted,
			refused:       s.refused,
		}
		if v := s.live; v != nil {
			o.Connections = int(v.conns.Load())
			o.BytesSent += v.sent.Load()
			o.accepted += v.accepted.Load()
			o.refused += v.refused.Load()
		}
		all = append(all, o)
	}
	return all
}

// watch serves /metrics and /healthz on l until ctx ends. It closes l.
func (h *host) watch(ctx context.Context, l net.Listener) {
	serveHTTP(ctx, l, func(path string) response {
		if path != "/metrics" && path != "/healthz" {
			return response{status: "404 Not Found", body: "want /metrics or /healthz\n"}
		}
		answer := make(chan []observation, 1)
		select {
		case h.asks <- answer:
		case <-ctx.Done():
			return response{status: unavailable, body: "ending\n"}
		}
		all := <-answer // the owner has taken the question and sends at once
		if path == "/metrics" {
			return response{status: ok, kind: metricsType, body: metrics(all)}
		}
		return health(all)
	})
}

const (
	ok          = "200 OK"
	unavailable = "503 Service Unavailable"
	metricsType = "text/plain; version=0.0.4; charset=utf-8"
)

// health is good when at least one virtual server is alive.
func health(all []observation) response {
	alive := 0
	for _, o := range all {
		if o.Alive {
			alive++
		}
	}
	r := response{status: ok, body: fmt.Sprintf("%d of %d virtual servers are alive\n", alive, len(all))}
	if alive == 0 {
		r.status = unavailable
	}
	return r
}

// metrics is the text exposition format 0.0.4 of Prometheus
// (https://prometheus.io/docs/instrumenting/exposition_formats/).
func metrics(all []observation) string {
	var b strings.Builder
	metric := func(name, kind, help string, value func(observation) int64) {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %[1]s %[3]s\n", name, help, kind)
		for _, o := range all {
			fmt.Fprintf(&b, "%s{server=\"%d\",port=\"%d\"} %d\n", name, o.Number, o.Port, value(o))
		}
	}
	metric("braid_server_up", "gauge", "Whether the virtual server is alive (1) or dead (0).", func(o observation) int64 {
		if o.Alive {
			return 1
		}
		return 0
	})
	metric("braid_server_connections", "gauge", "Connections that are open now.",
		func(o observation) int64 { return int64(o.Connections) })
	metric("braid_server_connections_accepted_total", "counter", "Connections that were accepted, those refused later included.",
		func(o observation) int64 { return o.accepted })
	metric("braid_server_connections_refused_total", "counter", "Connections that were refused: busy, a stranger, a broken rule, a changed file.",
		func(o observation) int64 { return o.refused })
	metric("braid_server_sent_bytes_total", "counter", "Bytes of the file that were sent.",
		func(o observation) int64 { return o.BytesSent })
	return b.String()
}
