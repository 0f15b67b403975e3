//go:build !windows

package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"braid/segment"
)

var (
	kills    = flag.Int("kills", 20, "how often TestKills kills the client")
	killSeed = flag.Uint64("killseed", rand.Uint64(), "when TestKills kills the client")
)

// What TestKills moves: enough that one download lives through all kills.
const (
	killShare   = 200_000 // bytes of the file for each kill
	killServers = 3
	killSpeed   = "500kB" // of each server
	killLatest  = 300 * time.Millisecond
	lifeLimit   = 10 * time.Second // far more than a client that is killed lives
)

// TestKills kills a client with SIGKILL at random moments and starts it again with
// -r, until it is through. The file is right then, and no life has lost what the one
// before had verified. If a download ends before all kills are done, another one follows.
//
// The servers' own count of what they have sent is at most the file and, for each kill, what
// was unfinished on each connection: one segment, counted whole, the frame that was under way,
// and what lay in the sockets because a busy machine let the client read late. Seen: 8 to 17 kB
// for each connection and kill, where 51 are allowed.
func TestKills(t *testing.T) {
	t.Parallel()
	t.Logf("-killseed=%d", *killSeed)
	random := rand.New(rand.NewPCG(*killSeed, 0))
	size := int64(*kills) * killShare
	servers := startSenders(t, 2, size)
	defer servers.stop(t)
	done, resumed, downloads := 0, 0, int64(0)
	for ; done < *kills; downloads++ {
		out, before := t.TempDir(), int64(0)
		for ended := false; !ended; {
			kill := time.Duration(-1)
			if done < *kills {
				kill = time.Duration(random.Int64N(int64(killLatest)))
			}
			l := servers.download(t, out, kill, done%2 == 1)
			if l.resumed >= 0 && l.resumed < before {
				t.Errorf("a life has resumed %d bytes, the one before had verified %d", l.resumed, before)
			}
			if l.resumed > 0 {
				resumed++
			}
			before = max(before, l.verified)
			if ended = !l.killed; l.killed {
				done++
			} else if l.code != codeDone {
				t.Fatalf("exit code %d:\n%s", l.code, l.output)
			}
		}
		servers.complete(t, out)
		if left, _ := os.ReadDir(out); len(left) != 1 {
			t.Errorf("left in the folder: %v", left)
		}
	}
	if resumed < done/4 {
		t.Errorf("only %d lives have found something to go on with", resumed)
	}
	limit := downloads*size + int64(done)*killServers*(segment.LayoutOf(size).SegmentSize+frame+lag)
	if sent := servers.total(t); sent < downloads*size || sent > limit {
		t.Errorf("%d downloads with %d kills: %d bytes sent, want at most %d", downloads, done, sent, limit)
	} else {
		t.Logf("%d downloads with %d kills: %.1f%% sent twice", downloads, done, 100*float64(sent-downloads*size)/float64(downloads*size))
	}
}

// At killSpeed, in bytes: what a server sends at once, 20 ms worth of it, and what it sends
// while the client does not come to read, 50 ms worth.
const (
	frame = 10_000
	lag   = 25_000
)

// senders is a running server program.
type senders struct {
	program
	data  []byte // of the file that it serves, data.bin
	ports string
	sent  atomic.Int64  // bytes of the file, by all of them
	tells chan struct{} // closed at the end, as is ended
	ended chan struct{}
}

// startSenders serves size bytes that depend on seed.
func startSenders(t *testing.T, seed byte, size int64) *senders {
	t.Helper()
	data := make([]byte, size)
	rand.NewChaCha8([32]byte{seed}).Read(data)
	file := filepath.Join(t.TempDir(), "data.bin")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s := &senders{data: data, ports: portList(freePortsOf(t, killServers)), tells: make(chan struct{}), ended: make(chan struct{})}
	limit := time.Minute + time.Duration(*kills)*lifeLimit // they outlive all clients
	s.program = startFor(t, limit, "server", "-i", "0.1", "-n", fmt.Sprint(killServers), "-f", file, "-p", s.ports,
		"--bind", "127.0.0.1", "--limit", killSpeed, "--report", "json")
	go func() {
		defer close(s.ended)
		defer close(s.tells)
		for s.lines.Scan() {
			var status struct {
				Servers []struct {
					BytesSent int64 `json:"bytes_sent"`
				}
			}
			if json.Unmarshal(s.lines.Bytes(), &status) != nil {
				continue
			}
			var sum int64
			for _, server := range status.Servers {
				sum += server.BytesSent
			}
			s.sent.Store(sum)
			select {
			case s.tells <- struct{}{}:
			default:
			}
		}
	}()
	<-s.tells
	return s
}

func (s *senders) stop(t *testing.T) {
	t.Helper()
	s.signal(t, syscall.SIGTERM)
	<-s.ended
	if code := s.end(t); code != codeDone {
		t.Errorf("the servers: exit code %d", code)
	}
}

// complete fails unless what was served is in a client's folder.
func (s *senders) complete(t *testing.T, out string) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(out, "data.bin"))
	if err != nil || !bytes.Equal(got, s.data) {
		t.Fatalf("the file: %d bytes, %v", len(got), err)
	}
}

// total is what has been sent by now.
func (s *senders) total(t *testing.T) int64 {
	t.Helper()
	<-s.tells // may be of a moment ago
	if _, ok := <-s.tells; !ok {
		t.Fatal("the servers have ended")
	}
	return s.sent.Load()
}

// life is what a client has told, until it ended or was killed.
type life struct {
	resumed  int64 // -1: nothing said
	verified int64
	killed   bool
	code     int
	output   string
}

// download runs a client with -r and kills it after a while, unless that is negative. If late, the
// while counts from when it has found a server: a busy machine may take longer to start a
// program than the while is.
func (s *senders) download(t *testing.T, out string, kill time.Duration, late bool) life {
	t.Helper()
	p := start(t, "client", "-r", "-i", "0.02", "-o", out, "-a", "127.0.0.1", "-p", s.ports,
		"--report", "json", "--progress", "never", "--streams", "1")
	timer := time.AfterFunc(time.Hour, func() { _ = p.Process.Kill() }) // it may have ended
	defer timer.Stop()
	if kill >= 0 && !late {
		timer.Reset(kill)
	}
	l := life{resumed: -1}
	var output strings.Builder
	for p.lines.Scan() {
		fmt.Fprintln(&output, p.lines.Text())
		if late && kill >= 0 && strings.HasSuffix(p.lines.Text(), ": connected") {
			late = false
			timer.Reset(kill)
		}
		var block struct{ Bytes int64 }
		if json.Unmarshal(p.lines.Bytes(), &block) == nil {
			l.verified = max(l.verified, block.Bytes)
		}
		if words, ok := strings.CutPrefix(p.lines.Text(), "resumed: "); ok {
			if _, err := fmt.Sscanf(words, "%d of", &l.resumed); err != nil {
				t.Errorf("%q: %v", p.lines.Text(), err)
			}
		}
	}
	l.code, l.output = p.end(t), output.String()
	l.killed = l.code == -1
	return l
}
