package client_test

import (
	"bytes"
	"context"
	"net"

	"braid/segment"
	"braid/wire"
)

// actor is a server that keeps to the protocol, but for what a test changes.
type actor struct {
	data []byte
	name string

	welcome func(*wire.Welcome)          // what it claims
	values  func([]byte) []byte          // its manifest
	damage  func(off int64, data []byte) // the file bytes it sends
	answer  func(m wire.Message) []byte  // in place of its own answer, if not nil
}

// talk is the conversation on one connection.
func (a actor) talk(c net.Conn) {
	m, err := segment.Hash(context.Background(), bytes.NewReader(a.data), int64(len(a.data)), nil)
	if err != nil {
		panic(err)
	}
	r := wire.NewReader(c, wire.Client)
	if err := r.Preface(); err != nil {
		return
	}
	first, err := r.Next()
	if err != nil {
		return
	}
	hello := first.(wire.Hello)
	preface := wire.Preface()
	w := wire.Welcome{Layout: m.Layout(), Root: m.Root(), Manifest: len(m.Values()) <= wire.InlineManifest, Name: a.name}
	if a.welcome != nil {
		a.welcome(&w)
	}
	if _, err := c.Write(wire.Append(preface[:], w)); err != nil {
		return
	}
	if w.Manifest && !a.sendManifest(c, m) {
		return
	}
	if hello.Parts > 0 && !a.send(c, m.Layout(), 0, segment.Share(m.Layout(), int(hello.Part), int(hello.Parts), int64(hello.Max))) {
		return
	}
	for {
		message, err := r.Next()
		if err != nil {
			return
		}
		if a.answer != nil {
			if b := a.answer(message); b != nil {
				if _, err := c.Write(b); err != nil {
					return
				}
				continue
			}
		}
		ok := true
		switch message := message.(type) {
		case wire.Request:
			ok = a.send(c, m.Layout(), message.ID, message.Run)
		case wire.GetManifest:
			ok = a.sendManifest(c, m)
		case wire.Ping:
			_, err := c.Write(wire.Append(nil, wire.Pong(message)))
			ok = err == nil
		}
		if !ok {
			return
		}
	}
}

func (a actor) sendManifest(c net.Conn, m *segment.Manifest) bool {
	values := bytes.Clone(m.Values())
	if a.values != nil {
		values = a.values(values)
	}
	for at := 0; at < len(values); {
		n := min(len(values)-at, wire.MaxManifest)
		if _, err := c.Write(wire.Append(nil, wire.Manifest{Offset: int64(at), Values: values[at : at+n]})); err != nil {
			return false
		}
		at += n
	}
	return true
}

func (a actor) send(c net.Conn, l segment.Layout, id uint32, run segment.Run) bool {
	if run.Count == 0 {
		return true
	}
	end := l.Offset(run.First) + l.RunBytes(run)
	for off := l.Offset(run.First); off < end; {
		n := min(end-off, 32<<10)
		piece := bytes.Clone(a.data[off : off+n])
		if a.damage != nil {
			a.damage(off, piece)
		}
		b := wire.Append(nil, wire.Data{ID: id, Offset: off, Len: int(n)})
		if _, err := c.Write(append(b, piece...)); err != nil {
			return false
		}
		off += n
	}
	return true
}
