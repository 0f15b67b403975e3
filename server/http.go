package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// The few words of HTTP (RFC 9112) that a scraper needs: one request for each
// connection, GET or HEAD, no body. net/http would do far more than that, and
// add a megabyte to the binary.

const (
	httpLimit = 5 * time.Second // for a whole connection
	httpHead  = 8 << 10         // bytes of a request
	httpConns = 32              // at once; more wait in the listener's queue
)

// response is what a path is answered with.
type response struct {
	status string // such as 200 OK
	kind   string // Content-Type; plain text when empty
	body   string
}

// serveHTTP answers requests on l until ctx ends, and returns when every
// connection is closed. It closes l.
func serveHTTP(ctx context.Context, l net.Listener, answer func(path string) response) {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	var conns sync.WaitGroup
	defer conns.Wait()
	slots := make(chan struct{}, httpConns)
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		conn, err := l.Accept()
		if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			if err == nil {
				conn.Close()
			}
			return
		}
		if err != nil { // no descriptor is free: it passes
			<-slots
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
			}
			continue
		}
		conns.Go(func() {
			defer func() { <-slots }()
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			serveRequest(conn, answer)
		})
	}
}

// serveRequest answers the one request of a connection.
func serveRequest(conn net.Conn, answer func(path string) response) {
	conn.SetDeadline(time.Now().Add(httpLimit))
	method, path, err := readRequest(conn)
	var r response
	switch {
	case errors.Is(err, errNotHTTP):
		r = response{status: "400 Bad Request", body: err.Error() + "\n"}
	case err != nil:
		return // it has gone, or takes its time
	case method != "GET" && method != "HEAD":
		r = response{status: "405 Method Not Allowed", body: "want GET or HEAD\n"}
	default:
		r = answer(path)
	}
	if r.kind == "" {
		r.kind = "text/plain; charset=utf-8"
	}
	head := fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nAllow: GET, HEAD\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
		r.status, r.kind, len(r.body))
	if method == "HEAD" {
		r.body = ""
	}
	if _, err := io.WriteString(conn, head+r.body); err == nil {
		farewell(conn)
	}
}

var errNotHTTP = errors.New("not a request of HTTP/1.0 or HTTP/1.1")

// readRequest reads a request line and the header fields, of which it needs
// none. path is without the query.
func readRequest(r io.Reader) (method, path string, err error) {
	in := bufio.NewReader(io.LimitReader(r, httpHead))
	line, err := in.ReadString('\n')
	if err != nil {
		return "", "", tooLong(err, len(line))
	}
	words := strings.Split(strings.TrimRight(line, "\r\n"), " ")
	if len(words) != 3 || words[0] == "" || !strings.HasPrefix(words[1], "/") || words[2] != "HTTP/1.1" && words[2] != "HTTP/1.0" {
		return "", "", errNotHTTP
	}
	path, _, _ = strings.Cut(words[1], "?")
	for read := len(line); ; {
		line, err = in.ReadString('\n')
		read += len(line)
		if err != nil {
			return "", "", tooLong(err, read)
		}
		if strings.TrimRight(line, "\r\n") == "" {
			return words[0], path, nil
		}
	}
}

// tooLong tells the end of the limit from the end of the stream.
func tooLong(err error, read int) error {
	if err == io.EOF && read >= httpHead {
		return fmt.Errorf("%w: over %d bytes", errNotHTTP, httpHead)
	}
	return err
}
