package main

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
)

// zstd moves a text and a video (noise: what is compressed already) over tcp and tcp+zstd,
// on loopback and over two slow links. Over these the text should arrive as many times faster as
// it shrinks, and the video no later.
func (b *bench) zstd() error {
	const slowSize = 24 << 20
	fmt.Println("| what | link | transport | seconds | × tcp | file / bytes on the wire | client CPU s/GiB |\n|---|---|---|---|---|---|---|")
	for _, link := range []struct {
		name string
		size int64
		rate int // bytes/s of each of two servers; 0: no limit
	}{
		{"loopback", b.size, 0},
		{"2 × 20 Mbit/s", slowSize, 20e6 / 8},
	} {
		for _, kind := range []string{"text", "video"} {
			file, err := b.fileOf(kind, link.size)
			if err != nil {
				return err
			}
			if err := b.zstdRows(kind, link.name, file, link.size, link.rate); err != nil {
				return err
			}
			os.Remove(file)
		}
	}
	return nil
}

func (b *bench) fileOf(kind string, size int64) (string, error) {
	if kind == "text" {
		return b.textFile("file.txt", size)
	}
	return b.randomFile("file.bin", size)
}

// zstdRows measures one file over one kind of link, and prints a row for each transport.
func (b *bench) zstdRows(kind, link, file string, size int64, rate int) error {
	var (
		rows []*row
		wire []func() int64 // bytes of one run
	)
	for _, name := range []string{"tcp", "tcp+zstd"} {
		server, ports, err := b.serve(file, 2, "--transport", name)
		if err != nil {
			return err
		}
		defer server.stop()
		links, err := newLinks(ports, rate)
		if err != nil {
			return err
		}
		defer links.close()
		rows = append(rows, &row{name: name, run: func() (sample, error) { return b.fetch(links.ports, "--transport", name) }})
		wire = append(wire, func() int64 { return links.carried.Load() / int64(b.reps+1) })
	}
	if err := b.interleave(rows); err != nil {
		return err
	}
	plain := median(rows[0].got, wallOf)
	for i, r := range rows {
		wall := median(r.got, wallOf)
		fmt.Printf("| %s, %d MiB | %s | %s | %.2f | %.2f | %.2f | %.2f |\n", kind, size>>20, link, r.name, wall, plain/wall,
			float64(size)/float64(wire[i]()), median(r.got, cpuOf)*float64(1<<30)/float64(size))
	}
	return nil
}

// textFile writes lines of made-up words, some of which are much more frequent than
// others (Zipf), always the same ones.
func (b *bench) textFile(name string, size int64) (string, error) {
	path := b.path(name)
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	words := make([]string, 20_000)
	for i := range words {
		word := make([]byte, 2+rnd.IntN(9))
		for k := range word {
			word[k] = "etaoinshrdlucmfwypvbgkjqxz"[min(rnd.IntN(26), rnd.IntN(26))]
		}
		words[i] = string(word)
	}
	zipf := rand.NewZipf(rnd, 1.1, 10, uint64(len(words)-1))
	w := bufio.NewWriter(f)
	for column := 0; size > 0; {
		word := words[zipf.Uint64()] + " "
		if column += len(word); column > 80 {
			column, word = 0, word[:len(word)-1]+"\n"
		}
		word = word[:min(int64(len(word)), size)]
		size -= int64(len(word))
		w.WriteString(word)
	}
	return path, errors.Join(w.Flush(), f.Close())
}
