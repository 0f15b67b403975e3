package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// riffChunk is one chunk of a RIFF file as a player finds it.
type riffChunk struct {
	id     string // of a list: its kind
	list   bool
	offset int // of the header in the file
	data   []byte
	chunks []riffChunk // of a list
}

// parseRIFF walks the chunks in data, which stands at offset in the file, and
// insists that they fill it exactly and start at even offsets.
func parseRIFF(data []byte, offset int) ([]riffChunk, error) {
	var chunks []riffChunk
	for at := 0; at < len(data); {
		if (offset+at)%2 != 0 {
			return nil, fmt.Errorf("chunk at odd offset %d", offset+at)
		}
		if len(data)-at < 8 {
			return nil, fmt.Errorf("%d bytes left over at %d", len(data)-at, offset+at)
		}
		c := riffChunk{id: string(data[at : at+4]), offset: offset + at}
		size := int(binary.LittleEndian.Uint32(data[at+4:]))
		if size+size%2 > len(data)-at-8 {
			return nil, fmt.Errorf("chunk %q at %d says %d bytes, %d are there", c.id, c.offset, size, len(data)-at-8)
		}
		c.data = data[at+8 : at+8+size]
		if c.id == "RIFF" || c.id == "LIST" {
			if size < 4 {
				return nil, fmt.Errorf("list at %d is too short for its kind", c.offset)
			}
			c.list, c.id = true, string(c.data[:4])
			var err error
			if c.chunks, err = parseRIFF(c.data[4:], c.offset+12); err != nil {
				return nil, err
			}
		}
		chunks = append(chunks, c)
		at += 8 + size + size%2
	}
	return chunks, nil
}

// outline is the nesting of lists and chunks, without the frames.
func outline(chunks []riffChunk) string {
	var parts []string
	for _, c := range chunks {
		switch {
		case c.list:
			parts = append(parts, c.id+"("+outline(c.chunks)+")")
		case c.id != "00dc":
			parts = append(parts, c.id)
		}
	}
	return strings.Join(parts, " ")
}

// checkAVI checks the structure of an AVI file and returns its frames.
func checkAVI(t *testing.T, file []byte) [][]byte {
	t.Helper()
	riff, err := parseRIFF(file, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := outline(riff), "AVI (hdrl(avih strl(strh strf)) movi() idx1)"; got != want {
		t.Fatalf("the file is %s, want %s", got, want)
	}
	avi := riff[0].chunks
	hdrl, movi, idx1 := avi[0], avi[1], avi[2]

	var frames [][]byte
	largest := 0
	for _, c := range movi.chunks {
		if c.id != "00dc" {
			t.Fatalf("chunk %q among the frames", c.id)
		}
		frames = append(frames, c.data)
		largest = max(largest, len(c.data))
	}

	fields(t, "avih", hdrl.chunks[0].data, []uint32{
		41666, uint32(largest+8) * 24, 0, 0x10, uint32(len(frames)), 0, 1, uint32(largest + 8), 640, 360, 0, 0, 0, 0})
	strl := hdrl.chunks[1].chunks
	fields(t, "strh", strl[0].data, []uint32{
		fourCC("vids"), fourCC("MJPG"), 0, 0, 0, 1, 24, 0, uint32(len(frames)), uint32(largest + 8), math.MaxUint32, 0,
		0, 640 | 360<<16})
	fields(t, "strf", strl[1].data, []uint32{
		40, 640, 360, 1 | 24<<16, fourCC("MJPG"), 640 * 360 * 3, 0, 0, 0, 0})

	if len(idx1.data) != 16*len(frames) {
		t.Fatalf("the index has %d bytes for %d frames", len(idx1.data), len(frames))
	}
	kind := movi.offset + 8 // offsets count from the list's kind, "movi"
	for i, c := range movi.chunks {
		fields(t, fmt.Sprintf("index entry %d", i), idx1.data[16*i:16*i+16], []uint32{
			fourCC("00dc"), 0x10, uint32(c.offset - kind), uint32(len(c.data))})
	}
	return frames
}

func fourCC(s string) uint32 { return binary.LittleEndian.Uint32([]byte(s)) }

func fields(t *testing.T, what string, data []byte, want []uint32) {
	t.Helper()
	if len(data) != 4*len(want) {
		t.Fatalf("%s has %d bytes, want %d", what, len(data), 4*len(want))
	}
	for i, w := range want {
		if got := binary.LittleEndian.Uint32(data[4*i:]); got != w {
			t.Errorf("%s: field %d is %#x, want %#x", what, i, got, w)
		}
	}
}

func TestVideo(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := writeVideo(&b); err != nil {
		t.Fatal(err)
	}
	file := b.Bytes()
	if len(file) < 7_600_000 || len(file) > 8_400_000 {
		t.Errorf("%d bytes, want 8000000 give or take 5 %%", len(file))
	}
	frames := checkAVI(t, file)
	if len(frames) != 144 {
		t.Fatalf("%d frames, want 144", len(frames))
	}
	for i, f := range frames {
		if mean := len(file) / len(frames); len(f) < mean*3/4 || len(f) > mean*5/4 {
			t.Errorf("frame %d has %d bytes, the mean is %d", i, len(f), mean)
		}
	}
	t.Run("moves", func(t *testing.T) { testMoves(t, frames) })
	path := filepath.Join(t.TempDir(), "video.avi")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("ffprobe", func(t *testing.T) { testFFprobe(t, path) })
	t.Run("ffmpeg", func(t *testing.T) { testFFmpeg(t, path) })
}

// testMoves decodes some of the frames: the picture is not flat, and not the same for long.
func testMoves(t *testing.T, frames [][]byte) {
	var previous *image.YCbCr
	for _, i := range []int{0, 12, 72, 143} {
		m, err := jpeg.Decode(bytes.NewReader(frames[i]))
		if err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		picture, ok := m.(*image.YCbCr)
		if !ok || picture.Bounds() != image.Rect(0, 0, 640, 360) {
			t.Fatalf("frame %d is a %T of %v", i, m, m.Bounds())
		}
		darkest, brightest := uint8(255), uint8(0)
		for _, y := range picture.Y {
			darkest, brightest = min(darkest, y), max(brightest, y)
		}
		if darkest > 40 || brightest < 200 {
			t.Errorf("frame %d: luma from %d to %d", i, darkest, brightest)
		}
		if previous != nil {
			changed := 0
			for at := range picture.Cb { // the colours have no grain
				if d := int(picture.Cb[at]) - int(previous.Cb[at]); d > 12 || d < -12 {
					changed++
				}
			}
			if changed < len(picture.Cb)/20 {
				t.Errorf("frame %d: %d of %d points have another colour than before", i, changed, len(picture.Cb))
			}
		}
		previous = picture
	}
}

// testFFprobe has the file read by a player's own code, where there is one.
func testFFprobe(t *testing.T, path string) {
	if _, err := exec.LookPath("ffprobe"); err != nil {
		t.Skip("ffprobe is not installed: only the structure is checked")
	}
	out, err := exec.Command("ffprobe", "-v", "error", "-count_packets", "-show_entries",
		"stream=codec_name,width,height,r_frame_rate,duration,nb_read_packets", "-of", "json", path).CombinedOutput()
	if err != nil {
		t.Fatalf("ffprobe: %v: %s", err, out)
	}
	var got struct{ Streams []map[string]any }
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("ffprobe said %s: %v", out, err)
	}
	want := "[map[codec_name:mjpeg duration:6.000000 height:360 nb_read_packets:144 r_frame_rate:24/1 width:640]]"
	if s := fmt.Sprint(got.Streams); s != want {
		t.Errorf("ffprobe reads\n%s, want\n%s", s, want)
	}
}

// testFFmpeg has every frame decoded by it, where there is one.
func testFFmpeg(t *testing.T, path string) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed: only some frames are decoded")
	}
	if out, err := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-i", path, "-f", "null", "-").CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("ffmpeg: %v: %s", err, out)
	}
}

// Frames of odd and even length, and of none, keep the structure.
func TestWriteAVI(t *testing.T) {
	for _, want := range [][]string{nil, {"odd"}, {"even"}, {"a", "", "bb", "ccc", "RIFF", "d"}} {
		frames := make([][]byte, len(want))
		for i, s := range want {
			frames[i] = []byte(s)
		}
		var b bytes.Buffer
		if err := writeAVI(&b, frames); err != nil {
			t.Fatal(err)
		}
		got := checkAVI(t, b.Bytes())
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", frames) {
			t.Errorf("wrote %q, read %q", frames, got)
		}
	}
}

// fullDisk takes so many bytes and no more.
type fullDisk struct{ space int }

var errFull = errors.New("no space left on device")

func (d *fullDisk) Write(p []byte) (int, error) {
	if len(p) > d.space {
		return d.space, errFull
	}
	d.space -= len(p)
	return len(p), nil
}

func TestWriteAVIOnFullDisk(t *testing.T) {
	frames := [][]byte{[]byte("first"), []byte("second")}
	var b bytes.Buffer
	if err := writeAVI(&b, frames); err != nil {
		t.Fatal(err)
	}
	for space := range b.Len() {
		if err := writeAVI(&fullDisk{space}, frames); !errors.Is(err, errFull) {
			t.Errorf("room for %d of %d bytes: error %v", space, b.Len(), err)
		}
	}
	if err := writeAVI(&fullDisk{b.Len()}, frames); err != nil {
		t.Errorf("with just enough room: %v", err)
	}
}

func TestNextQuality(t *testing.T) {
	for _, c := range []struct{ quality, size, budget, want int }{
		{70, 1000, 1000, 70},
		{70, 1000, 1010, 70},
		{70, 1000, 1030, 71},
		{70, 1000, 910, 68},
		{70, 1000, 100_000, 80},
		{70, 1000, 1, 60},
		{90, 1000, 100_000, 95},
		{25, 1000, 1, 20},
		{70, 1000, 0, 60},
		{70, 1000, -5, 60},
	} {
		if got := nextQuality(c.quality, c.size, c.budget); got != c.want {
			t.Errorf("nextQuality(%d, %d, %d) = %d, want %d", c.quality, c.size, c.budget, got, c.want)
		}
	}
}
