package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"
	"lukechampine.com/blake3"
)

// A plain Go client and its server: read a file from so many connections, hash it with braid's
// library, write it; no requests, no balancing, no state, nothing to resume. braid is held
// against it. It is no floor: braid's transport bounds what the sender holds unsent and pauses
// between small reads, this takes sockets as they come (docs/experiments.md).
//
//	bench give FILE ADDR CONNECTIONS   serves for ever, by sendfile
//	bench take FILE ADDR CONNECTIONS   fetches it into FILE

// simplePiece is what is hashed and written at once, in bytes; a segment of braid's at 1 GiB.
const simplePiece = 256 << 10

// simpleRow is the row of these two. The caller stops the process.
func (b *bench) simpleRow(file string, connections int) (*row, *process, error) {
	self, addrs, err := ownPair()
	if err != nil {
		return nil, nil, err
	}
	n := strconv.Itoa(connections)
	p, err := b.start(addrs, self, "give", file, addrs[0], n)
	if err != nil {
		return nil, nil, err
	}
	return &row{
		name: fmt.Sprintf("a plain Go client, connections: %d; read, hash, write", connections),
		run:  func() (sample, error) { return b.writing(b.path("copy"), self, "take", b.path("copy"), addrs[0], n) },
	}, p, nil
}

// simpleEnd is one of the two processes: args are those of "give" or "take".
func simpleEnd(ctx context.Context, what string, args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("bench %s: want FILE ADDR CONNECTIONS", what)
	}
	connections, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	if what == "give" {
		return simpleGive(ctx, args[0], args[1], connections)
	}
	return simpleTake(ctx, args[0], args[1], connections)
}

// simpleGive sends the file's size and the part of it whose number a connection begins with.
func simpleGive(ctx context.Context, file, addr string, connections int) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return acceptAll(ctx, l, func(c net.Conn) {
		if err := simpleGivePart(c, file, connections); err != nil && !errors.Is(err, io.EOF) {
			fmt.Fprintln(os.Stderr, "bench give:", err)
		}
	})
}

func simpleGivePart(c net.Conn, file string, connections int) error {
	var part [8]byte
	if _, err := io.ReadFull(c, part[:]); err != nil {
		return err // somebody who looked whether the port is open
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if _, err := c.Write(binary.LittleEndian.AppendUint64(nil, uint64(info.Size()))); err != nil {
		return err
	}
	begin, end := simpleShare(info.Size(), int64(binary.LittleEndian.Uint64(part[:])), int64(connections))
	if _, err := f.Seek(begin, io.SeekStart); err != nil {
		return err
	}
	_, err = io.CopyN(c, f, end-begin)
	return err
}

// simpleShare is where part k of n begins and ends.
func simpleShare(size, k, n int64) (begin, end int64) { return size * k / n, size * (k + 1) / n }

func simpleTake(ctx context.Context, file, addr string, connections int) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var writing sync.Mutex
	all, ctx := errgroup.WithContext(ctx)
	for k := range connections {
		all.Go(func() error { return simpleTakePart(ctx, f, &writing, addr, int64(k), int64(connections)) })
	}
	return all.Wait()
}

func simpleTakePart(ctx context.Context, f *os.File, writing *sync.Mutex, addr string, k, n int64) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	var size [8]byte
	if _, err := c.Write(binary.LittleEndian.AppendUint64(nil, uint64(k))); err != nil {
		return err
	}
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return err
	}
	piece := make([]byte, simplePiece)
	for at, end := simpleShare(int64(binary.LittleEndian.Uint64(size[:])), k, n); at < end; {
		p := piece[:min(end-at, simplePiece)]
		if _, err := io.ReadFull(c, p); err != nil {
			return err
		}
		blake3.Sum256(p)
		writing.Lock()
		_, err := f.WriteAt(p, at)
		writing.Unlock()
		if err != nil {
			return err
		}
		at += int64(len(p))
	}
	return nil
}
